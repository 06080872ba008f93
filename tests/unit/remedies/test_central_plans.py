"""Plans that mend several steps, and what is not proven because of the VPC of the endpoints."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from organization_breaks import BREAKS
from organization_builders import (
    GATEWAY,
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    SPOKES_TABLE,
    Organization,
    build_organization,
    get_block,
)
from organization_designs import DESIGNS, edit_routes
from posture.edits.command_line import parse_command
from posture.edits.format import name_operation
from posture.model.network import Target, TargetKind
from posture.model.shared_network import (
    AttachmentKind,
    TransitAttachment,
    TransitGateway,
    TransitPeer,
    TransitRoute,
    TransitRouteTable,
)
from posture.model.verdict import Status
from posture.remedies.prove import SCAN_LIMITS, Prover
from posture.rules.central.use import evaluate_use
from posture.rules.engine import evaluate_context
from posture.rules.remediation.central import propose_central

SPOKE, SECOND = "vpc-spoke1", "tgw-0002"
KMS = "com.amazonaws.eu-west-1.kms"
TO_HUB, TO_SPOKE = get_block(0), get_block(1)
TABLES = {
    SPOKES_TABLE: (GATEWAY, TO_HUB, "tgw-attach-p1"),
    "tgw-rtb-p1": (GATEWAY, TO_SPOKE, "tgw-attach-spoke1"),
    "tgw-rtb-p2": (SECOND, TO_HUB, "tgw-attach-hub"),
    "tgw-rtb-hub2": (SECOND, TO_SPOKE, "tgw-attach-p2"),
}


def build_peered_gateways() -> Organization:
    """Build a hub behind a second transit gateway, peered with that of the spoke."""
    organization = build_organization(spokes=1, services=("kms",))
    second = Target(TargetKind.TRANSIT_GATEWAY, SECOND)
    organization = organization.edit_vpc(
        HUB,
        lambda hub: edit_routes(
            hub,
            lambda routes: tuple(
                replace(each, target=second) if each.target.id == GATEWAY else each
                for each in routes
            ),
        ),
    )
    hub = organization.shared.attachments["tgw-attach-hub"]
    peers = {
        f"tgw-attach-p{number}": TransitAttachment(
            f"tgw-attach-p{number}",
            here,
            AttachmentKind.PEERING,
            there,
            HUB_ACCOUNT,
            "available",
            f"tgw-rtb-p{number}",
            peer=TransitPeer(there, f"tgw-attach-p{3 - number}", "eu-west-1", HUB_ACCOUNT),
        )
        for number, here, there in ((1, GATEWAY, SECOND), (2, SECOND, GATEWAY))
    }
    moved = replace(hub, gateway_id=SECOND, table_id="tgw-rtb-hub2")
    return organization.edit_shared(
        attachments={**peers, hub.id: moved},
        gateways={SECOND: TransitGateway(SECOND, HUB_ACCOUNT)},
        tables={
            name: TransitRouteTable(name, gateway, (TransitRoute(block, None, (target,)),))
            for name, (gateway, block, target) in TABLES.items()
        },
    )


def propose(organization: Organization) -> list[str]:
    """Return the operations of the first remedy, with the table or group that each changes."""
    vpc = organization.build_context(SPOKE)
    use = evaluate_use(vpc, vpc.snapshot.services[KMS])
    remedies = propose_central(vpc, use)
    edits = parse_command(remedies[0].command) if remedies else ()
    return [
        f"{name_operation(type(each))} {getattr(each, 'transit_gateway_route_table_id', '')}"
        for each in edits
    ]


CREATE = "create-transit-gateway-route"
PROPAGATE = "enable-transit-gateway-route-table-propagation"


def test_all_tables_on_the_way_are_mended_in_one_plan() -> None:
    """Routes of peering are static; those of a VPC are propagated."""
    intact = build_peered_gateways()
    assert propose(intact) == []
    empty = {name: replace(each, routes=()) for name, each in intact.shared.tables.items()}
    assert propose(intact.edit_shared(tables=empty)) == [
        f"{CREATE} {SPOKES_TABLE}",
        f"{PROPAGATE} tgw-rtb-p2",
        f"{CREATE} tgw-rtb-hub2",
        f"{PROPAGATE} tgw-rtb-p1",
    ]


def test_no_remedy_leads_traffic_past_a_firewall() -> None:
    """The route that the VPC on the way lacks belongs into the table behind it."""
    organization = build_organization(spokes=1, services=("kms",))
    tables = organization.shared.tables
    firewall = replace(
        organization.shared.attachments["tgw-attach-hub"],
        id="tgw-attach-firewall",
        resource_id="vpc-firewall",
        table_id="tgw-rtb-firewall",
    )
    everything = TransitRoute(ip_network("0.0.0.0/0"), None, (firewall.id,))
    broken = organization.edit_shared(
        attachments={firewall.id: firewall},
        tables={
            SPOKES_TABLE: TransitRouteTable(SPOKES_TABLE, GATEWAY, (everything,)),
            "tgw-rtb-firewall": replace(tables[HUB_TABLE], id="tgw-rtb-firewall"),
        },
    )
    assert f"{PROPAGATE} {SPOKES_TABLE}" not in propose(broken)


def test_breaks_of_every_kind_are_mended_together() -> None:
    """Names first, then the path there, its gates and the way back."""
    names = (
        "zone is not associated with the spoke",
        "spoke has no route",
        "group does not admit the spoke",
        "table of the hub lacks the route to the spoke",
    )
    organization = DESIGNS["whitepaper"]()
    for name in names:
        organization = BREAKS[name].edit(organization)
    assert [each.split()[0] for each in propose(organization)] == [
        "create-vpc-association-authorization",
        "associate-vpc-with-hosted-zone",
        "create-route",
        "authorize-security-group-ingress",
        PROPAGATE,
    ]


@pytest.mark.parametrize(
    ("attachment", "connect"),
    [
        ("waits for acceptance", ["accept-transit-gateway-vpc-attachment"]),
        (
            "is gone",
            [
                "create-transit-gateway-vpc-attachment",
                "associate-transit-gateway-route-table",
                PROPAGATE,
            ],
        ),
    ],
)
def test_a_vpc_is_attached_before_it_gets_a_route(attachment: str, connect: list[str]) -> None:
    """EC2 refuses the route before."""
    organization = DESIGNS["whitepaper"]()
    for name in ("spoke has no route", f"attachment of the spoke {attachment}"):
        organization = BREAKS[name].edit(organization)
    found = [each.split()[0] for each in propose(organization)]
    assert found == [*connect, "create-route"]


WIDE = (
    "aws ec2 authorize-security-group-ingress --group-id sg-hub-endpoints --protocol tcp --port 443"
    " --cidr {}"
)


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (str(get_block(1)), ""),
        ("0.0.0.0/0", "endpoint-security-group-open"),
        (str(get_block(2)), "InvalidPermission.Duplicate"),
    ],
)
def test_what_opens_a_finding_of_the_hub_is_not_proven(block: str, problem: str) -> None:
    """Although it resolves that of the spoke."""
    organization = BREAKS["group does not admit the spoke"].edit(
        build_organization(services=("kms",))
    )
    vpc = organization.build_context(SPOKE)
    verdicts = evaluate_context(vpc)
    (failing,) = (each for each in verdicts if each.status is Status.FAIL)
    found = Prover(vpc, verdicts, SCAN_LIMITS).find_problem(WIDE.format(block), failing)
    assert problem in found
    assert bool(found) is bool(problem)
