"""What rules are evaluated in: a snapshot with its baseline, and the analyses that rules share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from posture.analysis.coverage import Analysis, Coverage
from posture.analysis.endpoint_contexts import (
    TYPES_WITH_POLICY,
    build_endpoint_context,
    supports_policy,
)
from posture.analysis.names import group_by_service
from posture.analysis.path import Path
from posture.analysis.services import (
    list_covered_services,
    list_relevant_gateway_services,
    list_service_forms,
)
from posture.lean_dataclass import dataclass
from posture.model.baseline import Baseline, has_tags
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import (
    Endpoint,
    EndpointType,
    RouteOrigin,
    RouteTable,
    Service,
    Snapshot,
    Subnet,
    TargetKind,
)
from posture.model.region_access import RegionAccess
from posture.model.shared_network import SharedNetwork
from posture.policy import DecidedPolicy, MalformedPolicyError, PolicyCheck, decide_policies
from posture.policy.decide import MAX_UNITS
from posture.policy.required import build_policy_check
from posture.rules.result import RuleResult

if TYPE_CHECKING:
    from posture.analysis.central.network_users import NetworkUser
    from posture.analysis.central.sources import Source
    from posture.rules.central.use import CentralUse


ResultT = TypeVar("ResultT")
GATEWAYS = frozenset({TargetKind.TRANSIT_GATEWAY, TargetKind.CORE_NETWORK})
SMALLEST_SUBNET = 28  # the longest prefix of a subnet's IPv4 block
# What evaluates a policy, the endpoint's id, and that of another endpoint that the answer reads.
PolicyQuestion = tuple[object, str, str]
VPC_POLICY_UNITS = 8 * MAX_UNITS  # of work on the endpoint policies of one VPC


@dataclass(frozen=True)
class VpcContext:
    """The input of a VPC rule: the snapshot, the baseline and the analyses that rules share.

    The analyses are cached properties, computed once for each VPC. `policy_units` is the work that
    all its endpoint policies together may take. `former` is the same VPC before a change: what the
    change does not concern is taken from it, and no remediation is needed of its findings. Unless
    it `proposes`, a finding has the sentence of its rule as remediation, and no command is built.
    `shared` is the network that the organization's VPCs share; None where it is not read. `whole`
    is all of it where `shared` has only what the VPC depends on: remediations may need more.
    `concerned` are the endpoints whose policies are evaluated, by id; None for all.
    """

    snapshot: Snapshot
    baseline: Baseline
    policy_units: int = VPC_POLICY_UNITS
    former: VpcContext | None = None
    proposes: bool = True
    shared: SharedNetwork | None = None
    whole: SharedNetwork | None = None
    concerned: frozenset[str] | None = None

    @property
    def is_trial(self) -> bool:
        """Whether a change is tried out, so that no remediation is needed."""
        return self.former is not None

    @cached_property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The existing endpoints, sorted by id."""
        known = sorted(self.snapshot.endpoints.items())
        return tuple(endpoint for _, endpoint in known if not endpoint.deleted)

    def endpoints_of(self, *types: EndpointType) -> tuple[Endpoint, ...]:
        """Return the existing endpoints of these types, sorted by id."""
        return tuple(each for each in self.endpoints if each.type in types)

    @cached_property
    def named_endpoints(self) -> Mapping[str, tuple[Endpoint, ...]]:
        """The gateway endpoints and those with private DNS by service name, sorted by id.

        The default names of a service are meant to lead to them.
        """
        return group_by_service(
            each for each in self.endpoints if each.private_dns or each.type is EndpointType.GATEWAY
        )

    @cached_property
    def subnets(self) -> tuple[Subnet, ...]:
        """The subnets that may hold workloads, sorted by id."""
        infrastructure = {each.id for each in self.infrastructure_subnets}
        return tuple(each for each in self.analysis.subnets if each.id not in infrastructure)

    @cached_property
    def infrastructure_subnets(self) -> tuple[Subnet, ...]:
        """The subnets that hold no workloads, sorted by id.

        These are the ones that the baseline names, and those that only hold the attachment of a
        transit gateway or core network.
        """
        wanted, attached = self.baseline.infrastructure_subnets, self.attachment_subnet_ids
        if not wanted and not attached:
            return ()
        return tuple(
            each
            for each in self.analysis.subnets
            if (wanted and has_tags(each.tags, wanted)) or each.id in attached
        )

    @cached_property
    def attachment_subnet_ids(self) -> frozenset[str]:
        """The ids of the subnets that only hold the attachment of a transit gateway.

        AWS recommends a separate, small subnet for each attachment, as small as subnets can be. A
        larger one counts if its route table leads nowhere. So does a small one that the attachment
        has left, if it has the route table of the others, or if the VPC routes to a transit gateway
        that it is no longer attached to.
        https://docs.aws.amazon.com/vpc/latest/tgw/tgw-best-design-practices.html
        """
        if self.shared is None:
            return frozenset()
        from posture.analysis.central.network_index import index_network  # noqa: PLC0415 - if it is read

        attachments = index_network(self.shared).attachments_of.get(self.snapshot.vpc.id, ())
        held = {each for attachment in attachments for each in attachment.subnet_ids}
        present = held & self.snapshot.subnets.keys()
        closed = {table.id for each in present if (table := self._find_closed_table(each))}
        detached = not attachments and self._routes_to_gateway and not self._unread_attachments
        left = {
            each.id
            for each in self.analysis.subnets
            if _is_smallest(each)
            and (table := self._find_closed_table(each.id))
            and (detached or table.id in closed)
        }
        return frozenset({*filter(self._has_no_workloads, present), *left})

    def explain_doubtful_subnet(self, subnet: Subnet) -> str:
        """Explain why a subnet may only hold an attachment, and which fact is missing; "" if none.

        It looks like one, and the attachments of the VPC could not be read.
        """
        if self.shared is None or not self._has_no_workloads(subnet.id):
            return ""
        missing = self._unread_attachments
        why = f"whether {subnet.id} only holds an attachment is not known ({missing})"
        return why if missing else ""

    @property
    def _unread_attachments(self) -> str:
        """Which fact about the attachments of the VPC is missing; "" if none."""
        from posture.rules.central.doubts import find_unread_attachments  # noqa: PLC0415 - if read

        return find_unread_attachments(self)

    @property
    def _routes_to_gateway(self) -> bool:
        """Whether a route of the VPC leads to a transit gateway or core network."""
        tables = self.snapshot.route_tables.values()
        return any(each.target.kind in GATEWAYS for table in tables for each in table.routes)

    def _has_no_workloads(self, subnet_id: str) -> bool:
        small = _is_smallest(self.snapshot.subnets[subnet_id])
        return small or self._find_closed_table(subnet_id) is not None

    def _find_closed_table(self, subnet_id: str) -> RouteTable | None:
        """Find the route table of a subnet if it leads nowhere; None if it does."""
        table = self.tables[subnet_id]
        local = RouteOrigin.TABLE
        closed = table is not None and all(each.origin is local for each in table.routes)
        return table if closed else None

    @property
    def is_unused_default(self) -> bool:
        """Whether the VPC is a default VPC without network interfaces, which is reported once."""
        vpc = self.snapshot.vpc
        unused = vpc.default and vpc.has_interfaces is False
        return unused and not self.baseline.evaluate_unused_default_vpcs

    @cached_property
    def gateway_services(self) -> tuple[Service, ...]:
        """The services with gateway endpoints that concern the VPC."""
        return list_relevant_gateway_services(self.snapshot, self.baseline.required_services)

    @cached_property
    def analysis(self) -> Analysis:
        """The paths, names and reachability of the VPC."""
        return Analysis(self.snapshot, self.former.analysis if self.former else None, self.shared)

    @cached_property
    def required_forms(self) -> Mapping[str, tuple[Service, ...]]:
        """The services that meet each requirement of the baseline, the service itself first."""
        fips = self.baseline.accept_fips_endpoints
        return {
            short: list_service_forms(self.snapshot, short, fips=fips)
            for short in self.baseline.required_services
        }

    @cached_property
    def central_sources(self) -> Mapping[str, tuple[Source, ...]]:
        """The zones, rules and Profiles that are meant for each service, by its name."""
        if self.shared is None:
            return {}
        from posture.analysis.central.sources import list_sources  # noqa: PLC0415 - if it is read

        return list_sources(self.snapshot, self.shared)

    @cached_property
    def central_uses(self) -> dict[str, CentralUse]:
        """How the VPC uses the central endpoints of services, by name, as far as it was asked."""
        return {}

    @cached_property
    def coverage(self) -> Coverage:
        """The coverage matrix of all subnets and the covered services."""
        wanted = (*self.baseline.required_services, *self.central_services)
        return self.analysis.build_coverage(list_covered_services(self.snapshot, wanted))

    @cached_property
    def central_services(self) -> tuple[str, ...]:
        """The full names of the services that the VPC reaches by endpoints of other VPCs."""
        central = self.shared.central_vpcs.values() if self.shared else ()
        names = {
            endpoint.service_name
            for each in central
            for endpoint in each.endpoints.values()
            if endpoint.type is EndpointType.INTERFACE
        }
        listed = (self.snapshot.services.get(each) for each in sorted(names))
        return tuple(
            each.name for each in listed if each and self.analysis.resolve_names(each).central
        )

    @cached_property
    def policy_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints whose policies are evaluated, sorted by id."""
        known, concerned = self.endpoints_of(*TYPES_WITH_POLICY), self.concerned
        return known if concerned is None else tuple(it for it in known if it.id in concerned)

    @cached_property
    def policies(self) -> Mapping[str, DecidedPolicy | MalformedPolicyError]:
        """The decided policies by endpoint id, or why one cannot be parsed."""
        changed = {name: self._stated_policies[name] for name in self.changed_policies}
        decided = decide_policies(changed, self.policy_units)
        former = self.former.policies if self.former else {}
        return {name: decided.get(name) or former[name] for name in self._stated_policies}

    @cached_property
    def policy_results(self) -> dict[PolicyQuestion, RuleResult]:
        """The results on single policies."""
        return {}

    def list_former_results(self, endpoint: Endpoint) -> Mapping[PolicyQuestion, RuleResult]:
        """List the `policy_results` before a change; none if it concerns the endpoint's policy."""
        former, decided = self.former, self.policies.get(endpoint.id)
        if former is None or decided is None or decided is not former.policies.get(endpoint.id):
            return {}
        same = former.snapshot.services is self.snapshot.services  # they say which support policies
        return former.policy_results if same else {}

    @cached_property
    def changed_policies(self) -> tuple[str, ...]:
        """The ids of the endpoints whose policies the former context, if any, does not have."""
        former = self.former._stated_policies if self.former else {}  # noqa: SLF001 - same class
        stated = self._stated_policies
        return tuple(name for name in stated if stated[name] != former.get(name))

    @cached_property
    def _stated_policies(self) -> Mapping[str, tuple[str, PolicyCheck]]:
        """The text of each endpoint's policy and what it is checked against, by endpoint id."""
        known = self._list_kept_policies()
        return {
            each.id: known.get(each.id) or (each.policy, self.build_policy_check(each))
            for each in self.endpoints_of(*TYPES_WITH_POLICY)
            if each.policy is not None and supports_policy(self.snapshot, each) is not False
        }

    def _list_kept_policies(self) -> Mapping[str, tuple[str, PolicyCheck]]:
        """List the policies, with their checks, of the endpoints that a change leaves as they are.

        Checks also depend on the baseline, the time, and who uses the endpoints.
        """
        former = self.former
        if (
            former is None
            or former.baseline is not self.baseline
            or former.snapshot.observed_at != self.snapshot.observed_at
            or former.users_of_endpoints != self.users_of_endpoints
        ):
            return {}
        present, before = self.snapshot.endpoints, former.snapshot.endpoints
        return {
            name: stated
            for name, stated in former._stated_policies.items()  # noqa: SLF001 - same class
            if before[name] is present.get(name)
        }

    def build_policy_check(self, endpoint: Endpoint) -> PolicyCheck:
        """Return the endpoint and the trusted accounts that its policy is checked against.

        The policy of an interface endpoint may allow the accounts of the VPCs that use it.
        """
        endpoint_context = build_endpoint_context(self.snapshot, endpoint)
        baseline = self.baseline
        if endpoint.type is EndpointType.INTERFACE and self.users_of_endpoints:
            accounts = {each.account for each in self.users_of_endpoints}
            trusted = baseline.trusted_accounts | accounts
            baseline = replace(baseline, trusted_accounts=trusted)
        return build_policy_check(endpoint_context, baseline, self.snapshot.observed_at)

    @cached_property
    def users_of_endpoints(self) -> tuple[NetworkUser, ...]:
        """The other VPCs that may use the VPC's endpoints: names or routes lead them there.

        Where the baseline (`central_endpoints`) names the VPC as a hub, only its spokes may.
        """
        if self.shared is None:
            return ()
        from posture.rules.central.users import list_permitted_users  # noqa: PLC0415 - as above

        return list_permitted_users(self)

    @cached_property
    def tables(self) -> Mapping[str, RouteTable | None]:
        """The effective route table of each subnet, by subnet id."""
        subnets = self.analysis.subnets
        return {subnet.id: self.analysis.paths.find_table(subnet) for subnet in subnets}

    @cached_property
    def users(self) -> Mapping[str, tuple[Subnet, ...]]:
        """The subnets that use each route table, by route table id."""
        found: dict[str, tuple[Subnet, ...]] = {}
        for subnet in self.analysis.subnets:
            if table := self.tables[subnet.id]:
                found[table.id] = (*found.get(table.id, ()), subnet)
        return found

    def remember(self, key: tuple[Hashable, ...], work: Callable[[], ResultT]) -> ResultT:
        """Return the result of some work, done once: rules ask for it for each of many resources.

        Args:
            key: What names the work and its arguments.
            work: The work, which reads nothing but this context and the arguments.
        """
        if key not in self._remembered:
            self._remembered[key] = work()
        result: ResultT = self._remembered[key]
        return result

    @cached_property
    def _remembered(self) -> dict[tuple[Hashable, ...], Any]:
        return {}

    @cached_property
    def paths(self) -> Mapping[tuple[str, str], tuple[Path, ...] | None]:
        """The paths to each gateway service, by subnet id and service name."""
        return {
            (subnet.id, service.name): self.analysis.paths.find_paths(subnet, service)
            for subnet in self.subnets
            for service in self.gateway_services
        }


def _is_smallest(subnet: Subnet) -> bool:
    return subnet.cidr is not None and subnet.cidr.prefixlen >= SMALLEST_SUBNET


@dataclass(frozen=True)
class EndpointServiceContext:
    """The input of an endpoint service rule."""

    snapshot: EndpointServiceSnapshot
    baseline: Baseline
    is_trial: bool = False
    proposes: bool = True

    @property
    def id(self) -> str:
        """The id of the endpoint service."""
        return self.snapshot.scope.subject


@dataclass(frozen=True)
class RegionAccessContext:
    """The input of a rule about the access to an account and Region."""

    snapshot: RegionAccess
    baseline: Baseline
    is_trial: bool = False
    proposes: bool = True
