"""Builders of small VPC snapshots, one part a call; the defaults are the ordinary case."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from posture.analysis.coverage import Analysis, Cell
from posture.analysis.services import list_covered_services
from posture.model.baseline import Baseline
from posture.model.dns import AMAZON_DNS
from posture.model.network import (
    AclEntry,
    Endpoint,
    EndpointType,
    Facet,
    GroupReference,
    NatGateway,
    Network,
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
from posture.model.verdict import Status, Verdict
from posture.rules.engine import evaluate_vpc

ACCOUNT = "111122223333"
REGION = "eu-west-1"
VPC_ID = "vpc-1"
SCOPE = Scope(ACCOUNT, REGION, VPC_ID)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

S3 = f"com.amazonaws.{REGION}.s3"
DYNAMODB = f"com.amazonaws.{REGION}.dynamodb"
KMS = f"com.amazonaws.{REGION}.kms"
CUSTOM = f"com.amazonaws.vpce.{REGION}.vpce-svc-0123456789abcdef0"

S3_BLOCKS = ("52.218.0.0/17", "3.5.64.0/21")
DYNAMODB_BLOCKS = ("52.94.24.0/23",)

OWN_ONLY = (
    '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",'
    ' "Condition": {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}}]}'
)
KINDS = {
    "local": TargetKind.LOCAL,
    "vpce": TargetKind.VPC_ENDPOINT,
    "nat": TargetKind.NAT_GATEWAY,
    "igw": TargetKind.INTERNET_GATEWAY,
    "eigw": TargetKind.EGRESS_ONLY_GATEWAY,
    "tgw": TargetKind.TRANSIT_GATEWAY,
    "vgw": TargetKind.VIRTUAL_PRIVATE_GATEWAY,
    "pcx": TargetKind.PEERING,
    "eni": TargetKind.NETWORK_INTERFACE,
    "i": TargetKind.INSTANCE,
    "cagw": TargetKind.CARRIER_GATEWAY,
    "lgw": TargetKind.LOCAL_GATEWAY,
    "core": TargetKind.CORE_NETWORK,
    "odb": TargetKind.ODB_NETWORK,
}


def subnet(
    name: str, zone: str = "a", cidr: str = "10.0.0.0/24", *, ipv6: str | None = None
) -> Subnet:
    """Build `subnet-NAME` in a zone."""
    return Subnet(
        id=f"subnet-{name}",
        vpc_id=VPC_ID,
        zone=f"{REGION}{zone}",
        cidr=IPv4Network(cidr),
        ipv6_cidrs=(IPv6Network(ipv6),) if ipv6 else (),
    )


def route(
    to: str,
    target: str,
    *,
    blackhole: bool = False,
    origin: RouteOrigin = RouteOrigin.STATIC,
) -> Route:
    """Build a route from a block or a prefix list (`pl-…`) to a target with an id as in EC2."""
    kind = KINDS.get(target.partition("-")[0], TargetKind.UNKNOWN)
    by_list = to.startswith("pl-")
    return Route(
        cidr=None if by_list else ip_network(to),
        prefix_list_id=to if by_list else None,
        target=Target(kind, target),
        blackhole=blackhole,
        origin=origin,
    )


LOCAL = route("10.0.0.0/16", "local", origin=RouteOrigin.TABLE)


def table(name: str, *routes: Route, subnets: Iterable[str] = (), main: bool = False) -> RouteTable:
    """Build `rtb-NAME` with these routes and the local one, associated with these subnets."""
    return RouteTable(
        id=f"rtb-{name}",
        vpc_id=VPC_ID,
        main=main,
        subnet_ids=tuple(f"subnet-{each}" for each in subnets),
        gateway_ids=(),
        associations={f"rtbassoc-{each}": f"subnet-{each}" for each in subnets}
        | ({"rtbassoc-main": VPC_ID} if main else {}),
        routes=(LOCAL, *routes),
    )


def gateway(name: str, service: str = S3, tables: Iterable[str] = (), **more: Any) -> Endpoint:
    """Build a gateway endpoint `vpce-NAME` associated with `rtb-…` of these names."""
    endpoint = Endpoint(
        id=f"vpce-{name}",
        type=EndpointType.GATEWAY,
        vpc_id=VPC_ID,
        service_name=service,
        state="available",
        policy=OWN_ONLY,
        route_table_ids=tuple(f"rtb-{each}" for each in tables),
        created_at=NOW,
    )
    return replace(endpoint, **more)


def interface(name: str, service: str = KMS, **more: Any) -> Endpoint:
    """Build an interface endpoint `vpce-NAME` in two zones, with a security group of its own."""
    endpoint = Endpoint(
        id=f"vpce-{name}",
        type=EndpointType.INTERFACE,
        vpc_id=VPC_ID,
        service_name=service,
        state="available",
        policy=OWN_ONLY,
        subnet_ids=("subnet-a", "subnet-b"),
        security_group_ids=("sg-endpoints",),
        private_dns=True,
        created_at=NOW,
    )
    return replace(endpoint, **more)


def admits(
    peer: str, ports: tuple[int, int] | None = (443, 443), protocol: str = "tcp"
) -> SecurityGroupRule:
    """Build a rule that allows a block, a prefix list (`pl-…`) or a security group (`sg-…`)."""
    return SecurityGroupRule(
        protocol=protocol,
        from_port=ports[0] if ports else None,
        to_port=ports[1] if ports else None,
        cidr=None if peer.startswith(("pl-", "sg-")) else ip_network(peer),
        prefix_list_id=peer if peer.startswith("pl-") else None,
        group=GroupReference(peer) if peer.startswith("sg-") else None,
    )


ANYWHERE = (admits("0.0.0.0/0", None, "-1"), admits("::/0", None, "-1"))


def group(
    name: str,
    *ingress: SecurityGroupRule,
    group_name: str = "endpoints",
    egress: Iterable[SecurityGroupRule] = ANYWHERE,
) -> SecurityGroup:
    """Build `sg-NAME`, which allows all outbound traffic by default, as in AWS."""
    return SecurityGroup(f"sg-{name}", group_name, VPC_ID, ingress, tuple(egress))


def prefix_list(list_id: str, *blocks: str, name: str = "", owner: str = ACCOUNT) -> PrefixList:
    """Build a prefix list; without blocks, one whose entries could not be read."""
    cidrs: tuple[Network, ...] = tuple(map(ip_network, blocks))
    return PrefixList(list_id, name, owner, cidrs or None)


def service(name: str, *types: EndpointType, **more: Any) -> Service:
    """Build a service of the catalogue that supports policies and private DNS."""
    plain = Service(
        name=name,
        types=frozenset(types or {EndpointType.INTERFACE}),
        owner="amazon",
        private_dns_names=(f"{name.rpartition('.')[2]}.{REGION}.amazonaws.com",),
        policy_supported=True,
    )
    return replace(plain, **more)


def allow(number: int, cidr: str = "0.0.0.0/0", **more: Any) -> AclEntry:
    """Build an entry that allows all inbound traffic by default."""
    plain = AclEntry(number, egress=False, allow=True, protocol="-1", cidr=ip_network(cidr))
    return replace(plain, **more)


def deny(number: int, cidr: str = "0.0.0.0/0", **more: Any) -> AclEntry:
    """Build an entry that denies all inbound traffic by default."""
    return allow(number, cidr, allow=False, **more)


def acl(name: str, *entries: AclEntry, subnets: Iterable[str]) -> NetworkAcl:
    """Build `acl-NAME`, associated with `subnet-…` of these names."""
    ids = tuple(f"subnet-{each}" for each in subnets)
    associations = {f"aclassoc-{each.removeprefix('subnet-')}": each for each in ids}
    return NetworkAcl(f"acl-{name}", VPC_ID, ids, associations, entries)


def open_acl(name: str, subnets: Iterable[str]) -> NetworkAcl:
    """Build an ACL that allows all traffic, as a default network ACL does."""
    return acl(name, allow(100), allow(100, egress=True), subnets=subnets)


def eni(
    name: str, subnet_name: str, *addresses: str, groups: Iterable[str] = ()
) -> NetworkInterface:
    """Build `eni-NAME` in `subnet-…` with these addresses and `sg-…` of these names."""
    ids = tuple(f"sg-{each}" for each in groups) or ("sg-endpoints",)
    return NetworkInterface(
        f"eni-{name}", f"subnet-{subnet_name}", f"{REGION}a", tuple(map(ip_address, addresses)), ids
    )


AWS_LISTS = (
    prefix_list("pl-s3", *S3_BLOCKS, name=S3, owner="AWS"),
    prefix_list("pl-ddb", *DYNAMODB_BLOCKS, name=DYNAMODB, owner="AWS"),
)
SERVICES = (
    service(S3, EndpointType.GATEWAY, EndpointType.INTERFACE),
    service(DYNAMODB, EndpointType.GATEWAY),
    service(KMS),
)
ENDPOINTS_GROUP = group("endpoints", admits("10.0.0.0/16"))
VPC = Vpc(
    VPC_ID,
    (IPv4Network("10.0.0.0/16"),),
    dns_support=True,
    dns_hostnames=True,
    dns_servers=(AMAZON_DNS,),
)


def build_snapshot(
    *parts: Any, vpc: Vpc = VPC, unreadable: dict[Facet, str] | None = None
) -> Snapshot:
    """Build a snapshot of parts of any kind, with AWS's prefix lists and three services.

    A part with the same id or name as one of these replaces it.
    """

    def of(kind: type, *given: Any, key: str = "id") -> dict[str, Any]:
        return {getattr(each, key): each for each in (*given, *parts) if isinstance(each, kind)}

    return Snapshot(
        scope=SCOPE,
        observed_at=NOW,
        vpc=vpc,
        subnets=of(Subnet),
        route_tables=of(RouteTable),
        endpoints=of(Endpoint),
        security_groups=of(SecurityGroup, ENDPOINTS_GROUP),
        network_acls=of(NetworkAcl),
        nat_gateways=of(NatGateway),
        network_interfaces=of(NetworkInterface),
        prefix_lists=of(PrefixList, *AWS_LISTS),
        services=of(Service, *SERVICES, key="name"),
        unreadable=unreadable or {},
    )


def nat(name: str, subnet_name: str | None = "public", *, public: bool = True) -> NatGateway:
    """Build `nat-NAME` in `subnet-…` of this name."""
    subnet_id = f"subnet-{subnet_name}" if subnet_name else None
    return NatGateway(f"nat-{name}", VPC_ID, subnet_id, "available", public)


def verdicts(rule: str, snapshot: Snapshot, baseline: Baseline | None = None) -> dict[str, Verdict]:
    """Evaluate one rule with the engine and return its verdicts by resource."""
    answers = evaluate_vpc(snapshot, baseline or Baseline())
    return {each.resource: each for each in answers if each.rule == rule}


def statuses(rule: str, snapshot: Snapshot, baseline: Baseline | None = None) -> dict[str, Status]:
    """Evaluate one rule and return the statuses by resource."""
    found = verdicts(rule, snapshot, baseline)
    return {resource: verdict.status for resource, verdict in found.items()}


def verdict_text(verdict: Verdict) -> str:
    """Return all text of a verdict that a person reads."""
    facts = " ".join(fact.text for fact in verdict.evidence)
    remedy = verdict.remediation
    command = f"{remedy.text} {remedy.command}" if remedy else ""
    return f"{verdict.summary} {facts} {command}"


def cell(snapshot: Snapshot, subnet_name: str, service_name: str) -> Cell:
    """Evaluate the cell of `subnet-…` and a service of the catalogue or of an endpoint."""
    analysis = Analysis(snapshot)
    (found,) = [each for each in list_covered_services(snapshot) if each.name == service_name]
    return analysis.evaluate_cell(snapshot.subnets[f"subnet-{subnet_name}"], found)
