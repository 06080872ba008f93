"""EC2's Describe operations: paginated, parsed into the model and read concurrently."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from enum import StrEnum
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore import xform_name

from posture.ec2.errors import check_answer, describe_denial, is_denied, is_not_found
from posture.ec2.parse.endpoints import parse_endpoint
from posture.ec2.parse.network import (
    parse_dhcp_options,
    parse_nat_gateway,
    parse_network_acl,
    parse_network_interface,
    parse_subnet,
    parse_vpc,
)
from posture.ec2.parse.route_tables import parse_route_table
from posture.ec2.parse.security_groups import parse_security_group
from posture.lean_dataclass import dataclass
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
from posture.runtime.deadline import measure_time_for_reads
from posture.runtime.pages import read_pages

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture.ec2.parse.fields import Row

K = TypeVar("K")
T = TypeVar("T")
Filters = Sequence[Mapping[str, object]]

MALFORMED = (AttributeError, KeyError, TypeError, ValueError)  # of a row that is not as EC2's are
ATTEMPTS = 5  # of a call, where the client's configuration does not say
PAUSES = 15.0  # seconds between all attempts of a call
FILTER_VALUES = 200  # the most values that EC2 accepts in one filter
# Pools whose reads have all ended, to be used again: starting ten threads takes longer than most
# rounds of reads. A round that runs inside a read of another one takes a pool of its own.
_idle_pools: dict[int, list[ThreadPoolExecutor]] = defaultdict(list)  # by their threads


@dataclass(frozen=True, slots=True)
class DescribeOperation(Generic[T]):
    """A paginated EC2 operation and how each row of its response is parsed.

    The value of `facet` is the operation's name. `member` is the list of rows in the response,
    by default the name without `Describe`. `page` is the largest page size that EC2 accepts;
    without a page size EC2 tries to return everything in one response.
    """

    facet: StrEnum
    parse: Callable[[Row], T]
    member: str = ""
    page: int = 1000
    filters: str = "Filters"


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """The items that an operation returned, or the reason why they cannot be read.

    They are `denied`, or the operation is not available here: then there can be none. `malformed`
    holds why items are missing, by the id of their VPC, "" where even that is unknown.
    """

    items: tuple[T, ...] = ()
    unreadable: str | None = None
    denied: bool = False
    malformed: Mapping[str, str] = field(default_factory=dict)

    def why_incomplete(self, vpc_id: str) -> str | None:
        """Return why items of a VPC may be missing; None where all were read."""
        return self.unreadable or self.malformed.get(vpc_id) or self.malformed.get("")


@dataclass(frozen=True, slots=True)
class VpcResources:
    """The resources of one VPC, or of many, that can be read without knowing any other."""

    vpcs: Reading[Vpc] = field(default_factory=Reading)
    subnets: Reading[Subnet] = field(default_factory=Reading)
    route_tables: Reading[RouteTable] = field(default_factory=Reading)
    endpoints: Reading[Endpoint] = field(default_factory=Reading)
    security_groups: Reading[SecurityGroup] = field(default_factory=Reading)
    network_acls: Reading[NetworkAcl] = field(default_factory=Reading)
    nat_gateways: Reading[NatGateway] = field(default_factory=Reading)


VPCS = DescribeOperation(Facet.VPC, parse_vpc)
SECURITY_GROUPS = DescribeOperation(Facet.SECURITY_GROUPS, parse_security_group)
SUBNETS = DescribeOperation(Facet.SUBNETS, parse_subnet)
DHCP_OPTIONS = DescribeOperation(Facet.DHCP_OPTIONS, parse_dhcp_options)
NETWORK_INTERFACES = DescribeOperation(Facet.NETWORK_INTERFACES, parse_network_interface)
# By the fields of `VpcResources`.
VPC_RESOURCES: Mapping[str, DescribeOperation[Any]] = {
    "vpcs": VPCS,
    "subnets": SUBNETS,
    "route_tables": DescribeOperation(Facet.ROUTE_TABLES, parse_route_table, page=100),
    "endpoints": DescribeOperation(Facet.ENDPOINTS, parse_endpoint),
    "security_groups": DescribeOperation(Facet.SECURITY_GROUPS, parse_security_group),
    "network_acls": DescribeOperation(Facet.NETWORK_ACLS, parse_network_acl),
    "nat_gateways": DescribeOperation(Facet.NAT_GATEWAYS, parse_nat_gateway, filters="Filter"),
}


def describe(
    ec2: EC2Client, operation: DescribeOperation[T], filters: Filters = (), **parameters: object
) -> Reading[T]:
    """Read every page of an operation.

    Raises:
        ClientError, BotoCoreError: throttling, a server error or a timeout outlasted the retries.
    """
    if filters:
        parameters[operation.filters] = list(filters)
    member = operation.member or operation.facet.removeprefix("Describe")

    def read() -> tuple[Row, ...]:
        return tuple(list_rows(ec2, operation.facet, member, operation.page, parameters))

    return _parse(operation, read_unless_denied(operation.facet, read))


def _parse(operation: DescribeOperation[T], rows: Reading[Row]) -> Reading[T]:
    """Parse rows; one that is malformed makes its VPC incomplete, and no other."""
    items: list[T] = []
    malformed: dict[str, str] = {}
    for row in rows.items:
        vpc_id = row.get("VpcId", "") if isinstance(row, dict) else ""
        try:
            if not isinstance(vpc_id, str):
                raise TypeError(f"expected an ID as VpcId, got {vpc_id!r}")
            items.append(operation.parse(row))
        except MALFORMED as error:
            vpc_id = vpc_id if isinstance(vpc_id, str) else ""
            malformed[vpc_id] = f"a row of ec2:{operation.facet} is malformed: {error}"
    return Reading(tuple(items), rows.unreadable, rows.denied, malformed)


def list_rows(
    ec2: EC2Client, operation: str, member: str, page: int, parameters: Mapping[str, object]
) -> Iterator[Row]:
    """List the rows of all pages of a paginated operation, given by its API name.

    Raises:
        MalformedAnswerError: What answers is not EC2.
    """
    call = getattr(ec2, xform_name(operation))
    for response in read_pages(call, {"MaxResults": page, **parameters}):
        check_answer(response, operation, member)
        yield from response.get(member, ())


def read_unless_denied(operation: str, read: Callable[[], tuple[T, ...]]) -> Reading[T]:
    """Read items; an id that does not exist has none.

    A denial becomes the reading's reason, as does an answer that cannot be parsed.
    """
    try:
        return Reading(read())
    except MALFORMED as error:
        reason = f"the answer of ec2:{operation} is malformed: {error}"
        return Reading(unreadable=reason, denied=True)
    except Exception as error:
        if is_not_found(error):
            return Reading()
        denial = describe_denial(error, operation)
        if denial is None:
            raise
        return Reading(unreadable=denial, denied=is_denied(error))


def chunked(items: Sequence[T], size: int = FILTER_VALUES) -> tuple[tuple[T, ...], ...]:
    """Split items into chunks, by default of as many as one filter accepts."""
    return tuple(tuple(items[start : start + size]) for start in range(0, len(items), size))


def describe_network_interfaces(
    ec2: EC2Client, ids: Collection[str], by: str = "network-interface-id"
) -> Reading[NetworkInterface]:
    """Read network interfaces by their ids, or by another filter, some hundreds in each request."""
    return describe_by_ids(ec2, NETWORK_INTERFACES, by, ids)


def find_network_interface(ec2: EC2Client, vpc_id: str) -> Reading[NetworkInterface]:
    """Find one network interface of a VPC, those that AWS services manage included.

    A page may be empty although others follow, so pages are read until one holds an interface.
    """

    def read() -> tuple[NetworkInterface, ...]:
        parameters = {
            "Filters": [{"Name": "vpc-id", "Values": [vpc_id]}],
            "IncludeManagedResources": True,
        }
        rows = list_rows(ec2, Facet.NETWORK_INTERFACES, "NetworkInterfaces", 5, parameters)
        return tuple(map(parse_network_interface, islice(rows, 1)))

    return read_unless_denied(Facet.NETWORK_INTERFACES, read)


def describe_by_ids(
    ec2: EC2Client, operation: DescribeOperation[T], by: str, ids: Collection[str]
) -> Reading[T]:
    """Read resources by their ids, given as the filter `by`, some hundreds in each request.

    With a filter, a resource that no longer exists does not make the request fail.
    """
    reads = {
        chunk: partial(describe, ec2, operation, [{"Name": by, "Values": chunk}])
        for chunk in chunked(sorted(ids))
    }
    readings = read_concurrently(ec2, reads).values()
    denied = next((each.unreadable for each in readings if each.unreadable), None)
    items = () if denied else tuple(item for each in readings for item in each.items)
    malformed = {name: why for each in readings for name, why in each.malformed.items()}
    return Reading(items, denied, malformed=malformed)


def read_concurrently(ec2: EC2Client, reads: Mapping[K, Callable[[], T]]) -> dict[K, T]:
    """Run reads, as many at once as the client has connections, and return their results by key.

    Raises:
        Exception: the first failure.
        TimeoutError: the reads together took longer than all attempts of one call of the client
            may, or than is left of the invocation. A read that is still running ends with the
            timeout of its own request.
    """
    if not reads:
        return {}
    at_once: int = ec2.meta.config.max_pool_connections  # type: ignore[attr-defined]
    try:
        pool = _idle_pools[at_once].pop()
    except IndexError:
        pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="collect")
    try:
        results = pool.map(lambda read: read(), reads.values(), timeout=_find_time_limit(ec2))
        found = dict(zip(reads, results, strict=True))
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    _idle_pools[at_once].append(pool)
    return found


def _find_time_limit(ec2: EC2Client) -> float:
    """Find the seconds that one round of reads may take: 90 in the functions."""
    config: Any = ec2.meta.config
    attempts = (config.retries or {}).get("total_max_attempts", ATTEMPTS)
    return min(float(config.read_timeout * attempts + PAUSES), measure_time_for_reads())


def read_vpc_resources(ec2: EC2Client, filters: Filters = ()) -> dict[str, Callable[[], Any]]:
    """Return the read of each field of `VpcResources`, by the field's name."""
    return {
        name: partial(describe, ec2, operation, filters)
        for name, operation in VPC_RESOURCES.items()
    }
