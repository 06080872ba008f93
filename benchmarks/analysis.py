"""Measure the coverage matrix of a large VPC: against evaluating each cell alone, and its growth.

Run: `.venv/bin/python benchmarks/analysis.py`

The network has overlapping and more specific routes, custom network ACLs, security groups with
several rules and three interfaces per endpoint. Cells evaluated alone share nothing; they are timed
on a sample and scaled, because all would take minutes. All figures are CPU time of one run.
"""

import gzip
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Network
from statistics import median
from typing import Any

import shared_paths  # noqa: F401

from network_builders import (
    REGION,
    VPC,
    acl,
    admits,
    allow,
    build_snapshot,
    deny,
    eni,
    gateway,
    group,
    interface,
    nat,
    prefix_list,
    route,
    service,
    subnet,
    table,
)
from posture.analysis.coverage import Analysis
from posture.analysis.matrix import build_matrix_record
from posture.analysis.services import list_covered_services
from posture.model.network import EndpointType, RouteOrigin, Service, Snapshot

RUNS = 5
SAMPLE = 60  # cells that are evaluated alone
PREFIX = f"com.amazonaws.{REGION}"
BLOCK = IPv4Network("10.0.0.0/8")
LARGE_VPC = replace(VPC, cidrs=(BLOCK,))
LOCAL = route(str(BLOCK), "local", origin=RouteOrigin.TABLE)


@dataclass(frozen=True)
class NetworkSize:
    """The dimensions of a network."""

    subnets: int = 200
    tables: int = 100
    endpoints: int = 50
    services: int = 60

    @property
    def cells(self) -> int:
        """The number of answers in the matrix."""
        return self.subnets * self.services


def build_network(size: NetworkSize) -> Snapshot:
    """Build a network of this size, the same in every run."""
    chance = random.Random(size.tables)  # noqa: S311 - no secret
    names = ["s3", "dynamodb", "kms", *(f"service{number}" for number in range(size.services - 3))]
    parts = [
        *_build_subnets(size),
        *_build_tables(size, chance),
        *_build_endpoints(size, names),
        *_build_groups(size, chance),
        *_build_acls(size, chance),
        nat("1", "0"),
        *_build_lists(chance),
        *(service(f"{PREFIX}.{name}", _type_of(at)) for at, name in enumerate(names)),
    ]
    return build_snapshot(*parts, vpc=LARGE_VPC)


def _type_of(number: int) -> EndpointType:
    """Return the type of a service's endpoint: the first two are S3 and DynamoDB."""
    return EndpointType.GATEWAY if number < 2 else EndpointType.INTERFACE


def _build_subnets(size: NetworkSize) -> Iterator[Any]:
    for number, block in zip(range(size.subnets), BLOCK.subnets(new_prefix=22), strict=False):
        yield subnet(str(number), "abc"[number % 3], str(block))


def _build_endpoints(size: NetworkSize, names: list[str]) -> Iterator[Any]:
    for number, name in enumerate(names[: size.endpoints]):
        service_name = f"{PREFIX}.{name}"
        if _type_of(number) is EndpointType.GATEWAY:
            yield gateway(str(number), service_name)
            continue
        yield interface(
            str(number),
            service_name,
            subnet_ids=tuple(f"subnet-{at}" for at in range(3)),
            security_group_ids=(f"sg-{number}",),
            network_interface_ids=tuple(f"eni-{number}-{at}" for at in range(3)),
        )
        for at in range(3):
            address = str(BLOCK[1024 * at + 10 + number])
            built = eni(f"{number}-{at}", str(at), address, groups=[str(number)])
            yield replace(built, zone=f"{REGION}{'abc'[at]}")


def _build_tables(size: NetworkSize, chance: random.Random) -> Iterator[Any]:
    for number in range(size.tables):
        blocks = [f"52.{chance.randrange(256)}.{16 * chance.randrange(16)}.0/20" for _ in range(6)]
        routes = (
            LOCAL,
            route("0.0.0.0/0", "nat-1" if number else "igw-1"),
            route("pl-s3", "vpce-0"),
            route("pl-ddb", "vpce-1"),
            route("pl-own", "tgw-1"),
            *(route(block, "nat-1") for block in blocks),
        )
        subnets = map(str, range(number, size.subnets, size.tables))
        yield replace(table(str(number), subnets=subnets, main=number == 0), routes=routes)


def _build_lists(chance: random.Random) -> Iterator[Any]:
    s3 = sorted({f"52.{chance.randrange(256)}.0.0/16" for _ in range(20)})
    yield prefix_list("pl-s3", *s3, name=f"{PREFIX}.s3", owner="AWS")
    yield prefix_list("pl-ddb", "3.218.180.0/22", name=f"{PREFIX}.dynamodb", owner="AWS")
    yield prefix_list("pl-own", *(f"172.16.{number}.0/24" for number in range(40)), name="own")


def _build_groups(size: NetworkSize, chance: random.Random) -> Iterator[Any]:
    for number in range(size.endpoints):
        blocks = "10.0.0.0/9", f"10.{chance.randrange(128, 256)}.0.0/16", "192.0.2.0/24"
        yield group(str(number), *map(admits, blocks), egress=())


def _build_acls(size: NetworkSize, chance: random.Random) -> Iterator[Any]:
    for number in range(10):
        denied = f"10.{chance.randrange(4)}.{4 * chance.randrange(64)}.0/22"
        entries = [allow(100), allow(100, egress=True)]
        if number % 2:
            entries.append(deny(50, denied, protocol="6", from_port=443, to_port=443))
        yield acl(str(number), *entries, subnets=map(str, range(number, size.subnets, 10)))


def evaluate_matrix(snapshot: Snapshot) -> None:
    """Evaluate every cell, with what cells share computed once."""
    Analysis(snapshot).build_coverage(_list_columns(snapshot))


def evaluate_cells(snapshot: Snapshot, cells: int) -> None:
    """Evaluate a sample of cells, each alone."""
    chance = random.Random(1)  # noqa: S311 - no secret
    subnets, services = list(snapshot.subnets.values()), _list_columns(snapshot)
    for _ in range(cells):
        Analysis(snapshot).evaluate_cell(chance.choice(subnets), chance.choice(services))


def _list_columns(snapshot: Snapshot) -> tuple[Service, ...]:
    return list_covered_services(snapshot, snapshot.services)


def measure(work: Callable[[], object], runs: int = RUNS) -> float:
    """Return the median CPU seconds of several runs."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return median(times)


def main() -> None:
    """Print the matrix against single cells, then the growth in each dimension."""
    size = NetworkSize()
    snapshot = build_network(size)
    whole = measure(lambda: evaluate_matrix(snapshot))
    alone = measure(lambda: evaluate_cells(snapshot, SAMPLE), runs=3) / SAMPLE * size.cells
    print(f"{size}: {size.cells} cells")
    print(f"  the matrix            {whole * 1000:9.1f} ms")
    print(f"  each cell alone       {alone * 1000:9.0f} ms, {alone / whole:.0f} times as long")
    analysis = Analysis(snapshot)
    coverage = analysis.build_coverage(_list_columns(snapshot))
    seconds = measure(lambda: build_matrix_record(coverage, analysis))
    record = build_matrix_record(coverage, analysis)
    kilobytes = len(gzip.compress(json.dumps(record, sort_keys=True).encode(), mtime=0)) / 1000
    counted = f"{len(record['answers'])} answers, {kilobytes:.0f} KB compressed"
    print(f"  as JSON               {seconds * 1000:9.1f} ms, {counted}")
    print("growth of the matrix when one dimension doubles, and doubles again")
    for name in ("subnets", "tables", "endpoints", "services"):
        sizes = [replace(size, **{name: getattr(size, name) // part}) for part in (4, 2, 1)]
        times = [measure(partial(evaluate_matrix, build_network(each))) for each in sizes]
        shown = ", ".join(f"{each * 1000:.0f} ms" for each in times)
        print(f"  {name:10} {shown}: x {times[1] / times[0]:.2f}, x {times[2] / times[1]:.2f}")


if __name__ == "__main__":
    main()
