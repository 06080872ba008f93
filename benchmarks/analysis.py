"""The coverage matrix of a large VPC: against asking each cell by itself, and how it grows.

Run: `.venv/bin/python benchmarks/analysis.py`

The network has overlapping and more specific routes, custom ACLs, groups with several rules and
three interfaces an endpoint. The baseline answers each cell alone, sharing nothing between cells;
it is timed on a sample and scaled, as it takes minutes. All figures are processor time of one run.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Network, ip_address, ip_network
from statistics import median
from typing import TypeVar

from posture.analysis.coverage import Analysis
from posture.analysis.matrix import build_matrix_record
from posture.analysis.services import list_covered_services
from posture.model.network import (
    AclEntry,
    Endpoint,
    EndpointType,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
    PrefixList,
    Route,
    RouteOrigin,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Service,
    Snapshot,
    Subnet,
    Target,
    TargetKind,
    Vpc,
)
from posture.model.scope import Scope

T = TypeVar("T")

RUNS = 5
SAMPLE = 60  # cells that the baseline answers
ACCOUNT, REGION, VPC_ID = "111122223333", "eu-west-1", "vpc-1"
PREFIX = f"com.amazonaws.{REGION}"
WHOLE = ip_network("0.0.0.0/0")
VPC_BLOCK = IPv4Network("10.0.0.0/8")


@dataclass(frozen=True)
class Size:
    """How large a network is."""

    subnets: int = 200
    tables: int = 100
    endpoints: int = 50
    services: int = 60

    @property
    def cells(self) -> int:
        """How many answers the matrix has."""
        return self.subnets * self.services


def network(size: Size) -> Snapshot:
    """Make a network of this size, the same at every run."""
    chance = random.Random(size.tables)  # noqa: S311 - no secret
    blocks = [str(block) for block in VPC_BLOCK.subnets(new_prefix=22)][: size.subnets]
    subnets = {f"subnet-{number}": _subnet(number, block) for number, block in enumerate(blocks)}
    names = [f"{PREFIX}.s3", f"{PREFIX}.dynamodb"]
    names += [f"{PREFIX}.service{number}" for number in range(size.services - 2)]
    endpoints = dict(_endpoints(size, names, list(subnets)))
    return Snapshot(
        scope=Scope(ACCOUNT, REGION, VPC_ID),
        observed_at=datetime(2026, 11, 25, tzinfo=UTC),
        vpc=Vpc(VPC_ID, (VPC_BLOCK,), dns_support=True, dns_hostnames=True),
        subnets=subnets,
        route_tables={each.id: each for each in _tables(size, list(subnets), chance)},
        endpoints=endpoints,
        security_groups={each.id: each for each in _groups(size, chance)},
        network_acls={each.id: each for each in _acls(list(subnets), chance)},
        nat_gateways={"nat-1": NatGateway("nat-1", VPC_ID, "subnet-0", "available", public=True)},
        network_interfaces={each.id: each for each in _interfaces(endpoints, subnets)},
        prefix_lists={each.id: each for each in _lists(chance)},
        services={name: _service(name) for name in names},
    )


def _subnet(number: int, block: str) -> Subnet:
    zone = "abc"[number % 3]
    return Subnet(f"subnet-{number}", VPC_ID, f"{REGION}{zone}", IPv4Network(block))


def _service(name: str) -> Service:
    gateway = name.endswith((".s3", ".dynamodb"))
    kinds = {EndpointType.GATEWAY} if gateway else {EndpointType.INTERFACE}
    return Service(name, frozenset(kinds), "amazon", (f"{name.rpartition('.')[2]}.amazonaws.com",))


def _endpoints(size: Size, names: list[str], subnets: list[str]) -> Iterator[tuple[str, Endpoint]]:
    for number, name in enumerate(names[: size.endpoints]):
        gateway = number < 2
        yield (
            f"vpce-{number}",
            Endpoint(
                id=f"vpce-{number}",
                type=EndpointType.GATEWAY if gateway else EndpointType.INTERFACE,
                vpc_id=VPC_ID,
                service_name=name,
                state="available",
                private_dns=not gateway,
                subnet_ids=() if gateway else tuple(subnets[:3]),
                security_group_ids=() if gateway else (f"sg-{number}",),
                network_interface_ids=()
                if gateway
                else tuple(f"eni-{number}-{zone}" for zone in range(3)),
            ),
        )


def _interfaces(
    endpoints: dict[str, Endpoint], subnets: dict[str, Subnet]
) -> Iterator[NetworkInterface]:
    for number, endpoint in enumerate(endpoints.values()):
        for interface_id, subnet_id in zip(
            endpoint.network_interface_ids, endpoint.subnet_ids, strict=True
        ):
            block = subnets[subnet_id].cidr
            assert block is not None
            address = ip_address(int(block.network_address) + 10 + number)
            yield NetworkInterface(
                interface_id,
                subnet_id,
                subnets[subnet_id].zone,
                (address,),
                endpoint.security_group_ids,
            )


def _tables(size: Size, subnets: list[str], chance: random.Random) -> Iterator[RouteTable]:
    local = Route(VPC_BLOCK, None, Target(TargetKind.LOCAL, "local"), origin=RouteOrigin.TABLE)
    nat = Target(TargetKind.NAT_GATEWAY, "nat-1")
    for number in range(size.tables):
        specific = (
            Route(ip_network((chance.randrange(52 << 24, 53 << 24) & ~0xFFF, 20)), None, nat)
            for _ in range(6)
        )
        default = Target(TargetKind.INTERNET_GATEWAY, "igw-1") if number == 0 else nat
        routes = (
            local,
            Route(WHOLE, None, default),
            Route(None, "pl-s3", Target(TargetKind.VPC_ENDPOINT, "vpce-0")),
            Route(None, "pl-dynamodb", Target(TargetKind.VPC_ENDPOINT, "vpce-1")),
            Route(None, "pl-own", Target(TargetKind.TRANSIT_GATEWAY, "tgw-1")),
            *specific,
        )
        own = tuple(subnets[number :: size.tables])
        yield RouteTable(f"rtb-{number}", VPC_ID, number == 0, own, (), (), routes)


def _lists(chance: random.Random) -> Iterator[PrefixList]:
    s3 = {ip_network((chance.randrange(52 << 24, 53 << 24) & ~0xFFFF, 16)) for _ in range(20)}
    yield PrefixList("pl-s3", f"{PREFIX}.s3", "AWS", tuple(sorted(s3, key=str)))
    yield PrefixList("pl-dynamodb", f"{PREFIX}.dynamodb", "AWS", (ip_network("3.218.180.0/22"),))
    own = tuple(ip_network(f"172.16.{number}.0/24") for number in range(40))
    yield PrefixList("pl-own", "own", ACCOUNT, own)


def _groups(size: Size, chance: random.Random) -> Iterator[SecurityGroup]:
    for number in range(size.endpoints):
        blocks = ["10.0.0.0/9", f"10.{chance.randrange(128, 256)}.0.0/16", "192.0.2.0/24"]
        rules = tuple(SecurityGroupRule("tcp", 443, 443, cidr=ip_network(each)) for each in blocks)
        yield SecurityGroup(f"sg-{number}", "endpoints", VPC_ID, rules, ())


def _acls(subnets: list[str], chance: random.Random) -> Iterator[NetworkAcl]:
    for number in range(10):
        denied = ip_network(f"10.{chance.randrange(4)}.{4 * chance.randrange(64)}.0/22")
        entries = [
            AclEntry(100, egress=egress, allow=True, protocol="-1", cidr=WHOLE)
            for egress in (False, True)
        ]
        if number % 2:
            entries.append(AclEntry(50, egress=False, allow=False, protocol="6", cidr=denied,
                                    from_port=443, to_port=443))  # fmt: skip
        yield NetworkAcl(f"acl-{number}", VPC_ID, tuple(subnets[number::10]), (),
                         tuple(entries))  # fmt: skip


def matrix(snapshot: Snapshot) -> None:
    """Answer every cell, what cells share worked out once."""
    Analysis(snapshot).build_coverage(_columns(snapshot))


def cell_by_cell(snapshot: Snapshot, cells: int) -> None:
    """Answer a sample of cells, each by itself."""
    chance = random.Random(1)  # noqa: S311 - no secret
    subnets, services = list(snapshot.subnets.values()), _columns(snapshot)
    for _ in range(cells):
        Analysis(snapshot).evaluate_cell(chance.choice(subnets), chance.choice(services))


def _columns(snapshot: Snapshot) -> tuple[Service, ...]:
    return list_covered_services(snapshot, snapshot.services)


def seconds(work: Callable[[], object], runs: int = RUNS) -> float:
    """Give the median processor time of several runs: other work on the machine blurs it less."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return median(times)


def main() -> None:
    """Print the matrix against the baseline, then the growth in each dimension."""
    size = Size()
    snapshot = network(size)
    full = seconds(lambda: matrix(snapshot))
    alone = seconds(lambda: cell_by_cell(snapshot, SAMPLE), runs=3) / SAMPLE * size.cells
    print(f"{size.subnets} subnets x {size.services} services, {size.tables} route tables, "
          f"{size.endpoints} endpoints: {size.cells} cells")  # fmt: skip
    print(f"  the matrix            {full * 1000:9.1f} ms")
    print(f"  each cell by itself   {alone * 1000:9.0f} ms, {alone / full:.0f} times as long")
    analysis = Analysis(snapshot)
    covered = analysis.build_coverage(_columns(snapshot))
    told = seconds(lambda: build_matrix_record(covered, analysis))
    record = build_matrix_record(covered, analysis)
    packed = gzip.compress(json.dumps(record, sort_keys=True).encode(), mtime=0)
    print(f"  told as JSON          {told * 1000:9.1f} ms, {len(record['answers'])} answers, "
          f"{len(packed) / 1000:.0f} KB compressed")  # fmt: skip
    print("growth of the matrix when one dimension doubles, and doubles again")
    for name in ("subnets", "tables", "endpoints", "services"):
        halves = (0.25, 0.5, 1)
        sizes = [replace(size, **{name: int(getattr(size, name) * part)}) for part in halves]
        times = [seconds(partial(matrix, network(each))) for each in sizes]
        shown = ", ".join(f"{each * 1000:.0f} ms" for each in times)
        print(f"  {name:10} {shown}: x {times[1] / times[0]:.2f}, x {times[2] / times[1]:.2f}")


if __name__ == "__main__":
    main()
