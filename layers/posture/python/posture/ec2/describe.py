"""The kinds of Describe request: each paginated, each deniable by itself, run side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from posture.ec2.errors import is_not_found, reason_unreadable
from posture.ec2.parse import endpoints as translate_endpoints
from posture.ec2.parse import network as translate_network
from posture.ec2.parse import route_tables as translate_routes
from posture.ec2.parse import security_groups as translate_groups
from posture.model.network import (
    Endpoint,
    Facet,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
    RouteTable,
    SecurityGroup,
    Subnet,
    Vpc,
)
from posture.runtime.clients import CONCURRENCY

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture.ec2.parse.fields import Row

K = TypeVar("K")
T = TypeVar("T")
Filters = Sequence[Mapping[str, object]]

TIME_LIMIT = 90.0  # seconds for one round of concurrent reads, retries included
FILTER_VALUES = 200  # the most values that one filter of a request may hold


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of request: boto3's name for it, the member that lists rows, how a row is read.

    `page` is the largest page EC2 gives; without one EC2 tries to answer all at once.
    """

    facet: Facet
    operation: str
    member: str
    read: Callable[[Row], T]
    page: int = 1000
    filters: str = "Filters"


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What one kind of request gave: items, or the reason why it could not be read."""

    items: tuple[T, ...] = ()
    unreadable: str | None = None


VPCS = Kind(Facet.VPC, "describe_vpcs", "Vpcs", translate_network.vpc)
SUBNETS = Kind(Facet.SUBNETS, "describe_subnets", "Subnets", translate_network.subnet)
ROUTE_TABLES = Kind(
    Facet.ROUTE_TABLES,
    "describe_route_tables",
    "RouteTables",
    translate_routes.parse_route_table,
    page=100,
)
ENDPOINTS = Kind(
    Facet.ENDPOINTS, "describe_vpc_endpoints", "VpcEndpoints", translate_endpoints.parse_endpoint
)
SECURITY_GROUPS = Kind(
    Facet.SECURITY_GROUPS,
    "describe_security_groups",
    "SecurityGroups",
    translate_groups.parse_security_group,
)
NETWORK_ACLS = Kind(
    Facet.NETWORK_ACLS, "describe_network_acls", "NetworkAcls", translate_network.parse_network_acl
)
NAT_GATEWAYS = Kind(
    Facet.NAT_GATEWAYS,
    "describe_nat_gateways",
    "NatGateways",
    translate_network.nat_gateway,
    filters="Filter",
)
NETWORK_INTERFACES = Kind(
    Facet.NETWORK_INTERFACES,
    "describe_network_interfaces",
    "NetworkInterfaces",
    translate_network.network_interface,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the first round of a collection read, of one VPC or of a whole region."""

    vpcs: Reading[Vpc] = field(default_factory=Reading)
    subnets: Reading[Subnet] = field(default_factory=Reading)
    route_tables: Reading[RouteTable] = field(default_factory=Reading)
    endpoints: Reading[Endpoint] = field(default_factory=Reading)
    security_groups: Reading[SecurityGroup] = field(default_factory=Reading)
    network_acls: Reading[NetworkAcl] = field(default_factory=Reading)
    nat_gateways: Reading[NatGateway] = field(default_factory=Reading)


FIRST_ROUND: Mapping[str, Kind[Any]] = {
    "vpcs": VPCS,
    "subnets": SUBNETS,
    "route_tables": ROUTE_TABLES,
    "endpoints": ENDPOINTS,
    "security_groups": SECURITY_GROUPS,
    "network_acls": NETWORK_ACLS,
    "nat_gateways": NAT_GATEWAYS,
}


def read_all(ec2: EC2Client, kind: Kind[T], filters: Filters = ()) -> Reading[T]:
    """Read every page of a kind.

    Raises:
        ClientError, BotoCoreError: what asking again may cure, once the client's retries are spent.
    """
    parameters = {kind.filters: list(filters)} if filters else {}
    return guarded(
        kind.facet.value,
        lambda: tuple(
            kind.read(row)
            for page in pages(ec2, kind.operation, kind.page, parameters)
            for row in page.get(kind.member, ())
        ),
    )


def pages(
    ec2: EC2Client, operation: str, size: int, parameters: Mapping[str, object]
) -> Iterable[Row]:
    """Give the pages of any paginated operation, named as boto3 names it."""
    paginator = cast("Any", ec2).get_paginator(operation)
    return cast(
        "Iterable[Row]", paginator.paginate(**parameters, PaginationConfig={"PageSize": size})
    )


def guarded(operation: str, read: Callable[[], tuple[T, ...]]) -> Reading[T]:
    """Read, with a denial turned into a reason and an id that is gone into nothing found."""
    try:
        return Reading(read())
    except Exception as error:
        if is_not_found(error):
            return Reading()
        if (reason := reason_unreadable(error, operation)) is None:
            raise
        return Reading(unreadable=reason)


def cut(items: Sequence[T], size: int = FILTER_VALUES) -> tuple[tuple[T, ...], ...]:
    """Cut into slices: of what one filter may hold, or smaller ones."""
    return tuple(tuple(items[start : start + size]) for start in range(0, len(items), size))


def interfaces(ec2: EC2Client, ids: Collection[str]) -> Reading[NetworkInterface]:
    """Read the network interfaces of these ids, some hundreds a request, side by side.

    By filter, so that an interface that has gone since is left out instead of failing the rest.
    """

    def reader(chunk: Sequence[str]) -> Callable[[], Reading[NetworkInterface]]:
        filters = [{"Name": "network-interface-id", "Values": chunk}]
        return lambda: read_all(ec2, NETWORK_INTERFACES, filters)

    readings = together({chunk: reader(chunk) for chunk in cut(sorted(ids))}).values()
    denied = next((each.unreadable for each in readings if each.unreadable), None)
    items = () if denied else tuple(item for each in readings for item in each.items)
    return Reading(items, denied)


def together(reads: Mapping[K, Callable[[], T]], limit: float = TIME_LIMIT) -> dict[K, T]:
    """Run reads side by side and give their results by name; the first failure is raised.

    Raises:
        TimeoutError: they took longer than `limit` seconds. What still runs ends with its own
            request's timeout.
    """
    pool = ThreadPoolExecutor(max_workers=CONCURRENCY, thread_name_prefix="collect")
    try:
        results = pool.map(lambda read: read(), reads.values(), timeout=limit)
        return dict(zip(reads, results, strict=True))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def first_round(ec2: EC2Client, filters: Filters = ()) -> dict[str, Callable[[], Reading[Any]]]:
    """Give the reads that need nothing else to be known, by the names of `Facts`."""

    def reader(kind: Kind[Any]) -> Callable[[], Reading[Any]]:
        return lambda: read_all(ec2, kind, filters)

    return {name: reader(kind) for name, kind in FIRST_ROUND.items()}
