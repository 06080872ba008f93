"""Resolving changes to the scopes that they concern, by the resource index and by EC2.

The index knows the resources that were observed, those that were deleted since among them; EC2 is
asked about the others. Both are asked about all changes of a batch at once, EC2 with one paginated
request for each type of id. EC2 is asked in the account of the change only; scopes of other
accounts come from the index.
Filters: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from posture.ec2.describe import Reading, chunked, list_rows, read_concurrently, read_unless_denied
from posture.ec2.errors import is_busy
from posture.errors import describe_error
from posture.evaluation.sweep_result import NO_TIME
from posture.lean_dataclass import dataclass
from posture.model.change import Change
from posture.model.scope import Region, Scope
from posture.runtime.deadline import Deadline

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

    from posture.ec2.parse.fields import Row
    from posture.store.resource_index import ResourceIndex

PAGE = 100
ACCOUNTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Lookup:
    """A request that returns the VPC of ids of one type, and the filter that selects by id."""

    operation: str
    member: str
    filter: str
    filters: str = "Filters"


def _tables(by: str) -> Lookup:
    return Lookup("describe_route_tables", "RouteTables", by)


# Each of these is in one VPC, which is the one that a change to it concerns.
INSIDE: Mapping[str, Lookup] = {
    "rtb": _tables("route-table-id"),
    "rtbassoc": _tables("association.route-table-association-id"),
    "subnet": Lookup("describe_subnets", "Subnets", "subnet-id"),
    "vpce": Lookup("describe_vpc_endpoints", "VpcEndpoints", "vpc-endpoint-id"),
    "sg": Lookup("describe_security_groups", "SecurityGroups", "group-id"),
    "acl": Lookup("describe_network_acls", "NetworkAcls", "network-acl-id"),
    "aclassoc": Lookup("describe_network_acls", "NetworkAcls", "association.association-id"),
    "eni": Lookup("describe_network_interfaces", "NetworkInterfaces", "network-interface-id"),
    "nat": Lookup("describe_nat_gateways", "NatGateways", "nat-gateway-id", filters="Filter"),
}
# Each of these is in one VPC for as long as it exists, and leads to no other scope of its account.
# A security group may be associated with other VPCs, a network interface attached to an instance
# that has others there.
FIXED = INSIDE.keys() - {"sg", "eni"}
# Each of these may be the target of routes in many VPCs. They are looked up only for a change that
# names nothing inside a VPC: a new route to the prefix list of S3 concerns one VPC, not all.
SHARED: Mapping[str, Lookup] = {
    "pl": _tables("route.destination-prefix-list-id"),
    "igw": _tables("route.gateway-id"),
    "vgw": _tables("route.gateway-id"),
    "eigw": _tables("route.egress-only-internet-gateway-id"),
    "pcx": _tables("route.vpc-peering-connection-id"),
    "tgw": _tables("route.transit-gateway-id"),
}
ONLY_INDEXED = frozenset({"cagw", "lgw"})  # no filter finds them; the index does
KINDS: Mapping[str, Lookup] = {**INSIDE, **SHARED}
# Scopes of other accounts that one change evaluates. A prefix list may be shared with a whole
# organization; the sweep evaluates the others.
MAX_OTHERS = 200
NO_SCOPES: frozenset[Scope] = frozenset()

logger = Logger()

Known = Mapping[str, frozenset[Scope]]  # by the id of a resource


@dataclass(frozen=True, slots=True)
class ResolvedScopes:
    """The scopes to evaluate and the regions to sweep, each with the changes that lead to it.

    `denied` holds the reason, by event id, for each change of which an id could not be looked up:
    it may concern more scopes than those, so it must come again.
    """

    scopes: Mapping[Scope, tuple[Change, ...]]
    regions: Mapping[Region, tuple[Change, ...]]
    denied: Mapping[str, str] = field(default_factory=dict)


class ScopeResolver:
    """Resolves changes to scopes.

    Args:
        ec2_of: Returns the EC2 client of an account's region.
        ownership: The resource index.
        accounts: All accounts that are watched, whose scopes a change of another one may concern,
            too. They may change; none are looked for where there is one account only.
    """

    def __init__(
        self,
        ec2_of: Callable[[Region], EC2Client],
        ownership: ResourceIndex,
        accounts: Collection[str] = (),
    ) -> None:
        self._ec2_of = ec2_of
        self._ownership = ownership
        self._accounts = accounts

    def resolve(
        self, changes: Sequence[Change], deadline: Deadline | None = None
    ) -> ResolvedScopes:
        """Resolve changes to scopes, or to their region where that is not possible.

        An account in which ids cannot be looked up, such as one that EC2 throttles, holds up no
        change of another one.

        Args:
            changes: The changes.
            deadline: When to stop; the changes that are left are among those that are `denied`.

        Raises:
            ClientError, BotoCoreError: DynamoDB did not answer, in spite of retries.
        """
        wanted: dict[Region, set[str]] = defaultdict(set)
        for change in changes:
            wanted[change.region].update(lookup_ids(change))
        ids = {name for change in changes for name in self._index_ids(change)}
        indexed = self._ownership.find_scopes(ids) if ids else {}
        looked_up = self._look_up(
            {region: _select_unsettled(region, ids, indexed) for region, ids in wanted.items()},
            (deadline or Deadline()).measure_apart(),
        )
        known = {
            region: _select_known(region, ids, indexed, looked_up[region].known)
            for region, ids in wanted.items()
        }
        scopes: dict[Scope, list[Change]] = defaultdict(list)
        regions: dict[Region, list[Change]] = defaultdict(list)
        reasons: dict[str, str] = {}
        for change in changes:
            names = lookup_ids(change)
            if reason := looked_up[change.region].explain(names):
                reasons[change.event_id] = reason
            if not looked_up[change.region].failed.keys().isdisjoint(names):
                continue
            found = known[change.region]
            others = self._select_related(change, indexed)
            for scope in sorted(find_scopes(change, found) | others):
                scopes[scope].append(change)
            if is_unresolved(change, found, others):
                regions[change.region].append(change)
        return ResolvedScopes(
            {scope: tuple(found) for scope, found in scopes.items()},
            {region: tuple(found) for region, found in regions.items()},
            reasons,
        )

    def _look_up(
        self, wanted: Mapping[Region, Sequence[str]], deadline: Deadline
    ) -> dict[Region, LookedUp]:
        """Ask EC2 for ids, in several accounts at once: each has request quotas of its own."""

        def look_up(region: Region) -> LookedUp:
            if not deadline.allows():
                return LookedUp(failed=dict.fromkeys(wanted[region], NO_TIME))
            with deadline.step():
                return look_up_ids(partial(self._ec2_of, region), region, wanted[region])

        if sum(map(bool, wanted.values())) <= 1:  # of one account, for which no thread is started
            return {region: look_up(region) for region in wanted}
        with ThreadPoolExecutor(ACCOUNTS_AT_ONCE, thread_name_prefix="look-up") as pool:
            return dict(zip(wanted, pool.map(look_up, wanted), strict=True))

    def _index_ids(self, change: Change) -> frozenset[str]:
        others = self._list_other_ids(change)
        return lookup_ids(change) | list_service_ids(change) | others

    def _list_other_ids(self, change: Change) -> frozenset[str]:
        return list_other_ids(change) if len(self._accounts) > 1 else frozenset()

    def _select_related(self, change: Change, indexed: Known) -> frozenset[Scope]:
        """Select the endpoint services, and the scopes of other accounts, that a change concerns.

        A consumer may be in the account of the endpoint service that it connects to.
        """
        own = change.region.account
        services = {
            each
            for name in list_service_ids(change)
            for each in indexed.get(name, ())
            if each.account == own and _is_service(each.subject)
        }
        others = {
            each
            for name in self._list_other_ids(change)
            for each in indexed.get(name, ())
            if each.account != own and each.account in self._accounts
        }
        here = sorted(it for it in services | others if it.region == change.region.name)
        if len(here) > MAX_OTHERS:
            left = {"event_id": change.event_id, "scopes": len(here) - MAX_OTHERS}
            logger.warning("scopes of other accounts left to the sweep", extra=left)
        return frozenset(here[:MAX_OTHERS])


def _select_known(region: Region, ids: Collection[str], indexed: Known, existing: Known) -> Known:
    """Select the VPCs of ids in one region of one account, in the index and in EC2."""
    return {
        each: frozenset(
            scope
            for scope in indexed.get(each, NO_SCOPES) | existing.get(each, NO_SCOPES)
            if (scope.account, scope.region) == (region.account, region.name) and scope.vpc_id
        )
        for each in ids
    }


def _select_unsettled(region: Region, ids: Collection[str], indexed: Known) -> Sequence[str]:
    """Select the ids about which EC2 must be asked: not those whose only VPC is in the index."""
    known = _select_known(region, ids, indexed, {})
    return sorted(each for each in ids if resource_type(each) not in FIXED or not known[each])


def lookup_ids(change: Change) -> frozenset[str]:
    """Return the ids to look up: none when the change names its VPC.

    A change to an endpoint service names its consumers' endpoints, which may be monitored, too.
    """
    if change.vpc_ids or change.sweeps:
        return frozenset()
    ids = change.resource_ids
    if change.service_ids:
        return frozenset(each for each in ids if resource_type(each) == "vpce")
    inside = frozenset(each for each in ids if resource_type(each) in INSIDE)
    shared = SHARED.keys() | ONLY_INDEXED
    return inside or frozenset(each for each in ids if resource_type(each) in shared)


def list_service_ids(change: Change) -> frozenset[str]:
    """List the ids that may lead to endpoint services of the same account.

    They are those of services that a consumer connects to, and of endpoints that are connected.
    """
    services = filter(_is_service, change.resource_ids - change.service_ids)
    return lookup_ids(change).union(services)


def list_other_ids(change: Change) -> frozenset[str]:
    """List the ids that may lead to scopes of other accounts.

    Those of resources that many VPCs share are among them only for a change that names nothing
    else: a new route to a transit gateway does not concern the other VPCs with such a route.
    """
    ids = change.resource_ids | change.other_vpc_ids
    direct = INSIDE.keys() | {"vpc", "vpce-svc"}
    named = frozenset(each for each in ids if resource_type(each) in direct)
    shared = SHARED.keys() | ONLY_INDEXED
    return named or frozenset(each for each in ids if resource_type(each) in shared)


def find_scopes(change: Change, known: Known) -> frozenset[Scope]:
    """Return the known scopes that a change concerns."""
    region = change.region
    named = {
        Scope(region.account, region.name, subject)
        for subject in change.vpc_ids | change.service_ids
    }
    return frozenset(named).union(*(known[each] for each in lookup_ids(change)))


def is_unresolved(change: Change, known: Known, related: frozenset[Scope] = frozenset()) -> bool:
    """Whether a change names something without a known scope, so that its region must be swept.

    `related` are the scopes of other accounts that it concerns.

    One call can delete endpoints of several VPCs, so each endpoint must be resolved, except those
    of an endpoint service's consumers, which may be in any account.
    """
    if change.sweeps or not (find_scopes(change, known) or related):
        return True
    if change.service_ids:
        return False
    return any(not known[each] for each in lookup_ids(change) if resource_type(each) == "vpce")


def _is_service(resource: str) -> bool:
    return resource_type(resource) == "vpce-svc"


def resource_type(resource: str) -> str:
    """Return the prefix of an id, as in `vpce-svc` of `vpce-svc-0123`."""
    return resource.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What EC2 knows of ids; for ids whose look-up is denied, or failed, the reason."""

    known: Known = field(default_factory=dict)
    denied: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    def explain(self, ids: Iterable[str]) -> str:
        """Explain why some of these ids could not be looked up; "" where all could."""
        reasons = {**self.denied, **self.failed}
        return "; ".join(sorted({reasons[each] for each in ids if each in reasons}))


def look_up_ids(open_ec2: Callable[[], EC2Client], region: Region, ids: Sequence[str]) -> LookedUp:
    """Ask EC2 for the VPCs of ids together; where that fails, half by half: one id fails no other.

    Where EC2 throttles or cannot be reached, more requests would make it worse: all have failed.
    """
    if not ids:
        return LookedUp()
    try:
        return find_in_ec2(open_ec2(), region, ids)
    except Exception as error:
        logger.exception("ids not looked up", extra={"region": str(region), "ids": len(ids)})
        if len(ids) == 1 or is_busy(error):
            return LookedUp(failed=dict.fromkeys(ids, describe_error(error)))
    middle = len(ids) // 2
    found = [look_up_ids(open_ec2, region, half) for half in (ids[:middle], ids[middle:])]
    return LookedUp(
        {name: scopes for each in found for name, scopes in each.known.items()},
        {name: reason for each in found for name, reason in each.denied.items()},
        {name: reason for each in found for name, reason in each.failed.items()},
    )


def find_in_ec2(ec2: EC2Client, region: Region, ids: Iterable[str]) -> LookedUp:
    """Ask EC2 for the VPC of each id; a resource that is gone has none.

    Where the request is not available, the whole region is swept, which finds the resource.
    """
    by_lookup: dict[Lookup, list[str]] = defaultdict(list)
    for each in sorted(ids):
        if lookup := KINDS.get(resource_type(each)):
            by_lookup[lookup].append(each)
    if not by_lookup:
        return LookedUp()
    rows = read_concurrently(
        ec2, {lookup: partial(_read, ec2, lookup, names) for lookup, names in by_lookup.items()}
    )
    found: dict[str, set[Scope]] = defaultdict(set)
    for lookup, reading in rows.items():
        wanted = set(by_lookup[lookup])
        for row in reading.items:
            scope = Scope(region.account, region.name, str(row["VpcId"]))
            for each in wanted.intersection(_texts(row)):
                found[each].add(scope)
    denied = {
        each: str(reading.unreadable)
        for lookup, reading in rows.items()
        if reading.denied
        for each in by_lookup[lookup]
    }
    return LookedUp({each: frozenset(scopes) for each, scopes in found.items()}, denied)


def _read(ec2: EC2Client, lookup: Lookup, ids: Sequence[str]) -> Reading[Any]:
    operation = lookup.operation.title().replace("_", "")  # its API name, for the reason
    return read_unless_denied(operation, lambda: tuple(_rows(ec2, lookup, ids)))


def _rows(ec2: EC2Client, lookup: Lookup, ids: Sequence[str]) -> Iterator[Row]:
    for chunk in chunked(ids):
        parameters = {lookup.filters: [{"Name": lookup.filter, "Values": list(chunk)}]}
        rows = list_rows(ec2, lookup.operation, lookup.member, PAGE, parameters)
        yield from (row for row in rows if row.get("VpcId"))


def _texts(value: Any) -> Iterator[str]:
    """Return all texts in a row, the ids among them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
