"""Which ids lead to a scope."""

from ipaddress import ip_network

from finding_builders import NOON, SCOPE
from posture.model.network import (
    Endpoint,
    EndpointType,
    PrefixList,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Snapshot,
    Target,
    TargetKind,
    Vpc,
)
from posture.store.resource_ids import collect_resource_ids

OWNER = SCOPE.account


def route(target: str, kind: TargetKind, prefix_list: str | None = None) -> Route:
    """Return a route to a target."""
    cidr = None if prefix_list else ip_network("198.51.100.0/24")
    return Route(cidr, prefix_list, Target(kind, target))


def test_every_id_that_an_event_may_name() -> None:
    """Resources, associations, route targets and the customer's prefix lists; AWS's own not."""
    table = RouteTable(
        "rtb-0a",
        SCOPE.subject,
        main=True,
        subnet_ids=(),
        gateway_ids=("igw-edge",),
        associations={"rtbassoc-0a": SCOPE.subject},
        routes=(
            route("local", TargetKind.LOCAL),
            route("tgw-0a", TargetKind.TRANSIT_GATEWAY, "pl-own"),
            route("vpce-0a", TargetKind.VPC_ENDPOINT, "pl-aws"),
        ),
        propagating_gateway_ids=("vgw-0a",),
    )
    rule = SecurityGroupRule("tcp", 443, 443, prefix_list_id="pl-group")
    group = SecurityGroup("sg-0a", "web", SCOPE.subject, ingress=(rule,), egress=())
    endpoint = Endpoint(
        "vpce-0b",
        EndpointType.INTERFACE,
        SCOPE.subject,
        "com.amazonaws.eu-west-1.sns",
        "available",
        network_interface_ids=("eni-0a",),
    )
    lists = [
        PrefixList("pl-own", "offices", OWNER, ()),
        PrefixList("pl-group", "partners", OWNER, None),
        PrefixList("pl-aws", "com.amazonaws.eu-west-1.s3", "AWS", ()),
        PrefixList("pl-idle", "unused", OWNER, ()),
    ]
    snapshot = Snapshot(
        SCOPE,
        NOON,
        Vpc(SCOPE.subject, ()),
        route_tables={table.id: table},
        endpoints={endpoint.id: endpoint},
        security_groups={group.id: group},
        prefix_lists={each.id: each for each in lists},
    )
    assert collect_resource_ids(snapshot) == {
        SCOPE.subject,
        "rtb-0a",
        "igw-edge",
        "rtbassoc-0a",
        "tgw-0a",
        "vpce-0a",
        "vgw-0a",
        "sg-0a",
        "vpce-0b",
        "eni-0a",
        "pl-own",
        "pl-group",
    }
