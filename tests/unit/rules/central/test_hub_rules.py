"""Rules about endpoints judge those of a hub against the VPCs that use them."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from network_builders import REGION, S3
from organization_breaks import BREAKS
from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    HUB_TABLE,
    Names,
    Organization,
    build_baseline,
    build_organization,
    get_spoke_account,
    list_records,
)
from organization_designs import DESIGNS
from organization_edits import (
    KMS_ZONE,
    SPOKE,
    Edit,
    add_rule,
    add_transit_route,
    add_zone,
    admit,
    edit_endpoint,
    edit_records,
    edit_zone,
    forbid_reading,
)
from posture.analysis.central.view import restrict_network
from posture.model.baseline import Baseline
from posture.model.network import EndpointType
from posture.model.shared_network import (
    AttachmentKind,
    DnsRecord,
    HostedZone,
    ResolverRule,
    RuleKind,
    SharedFacet,
    SharedNetwork,
)
from posture.model.verdict import Status, Verdict
from posture.rules import central
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.rules.rule import Family
from posture.rules.rule_catalogue import VPC_RULES

NO_PRIVATE_DNS = "endpoint-private-dns-disabled"
NO_EFFECT = "endpoint-private-dns-ineffective"
OPEN = "endpoint-open-to-other-networks"
ONE_ZONE = "endpoint-single-availability-zone"
PRINCIPALS = "endpoint-policy-allows-untrusted-principal"
BYPASSED = "gateway-endpoint-bypassed-by-names"
BESIDE = "endpoint-beside-central-endpoint"
KMS_NAME = f"kms.{REGION}.amazonaws.com"

ORGANIZATION = build_organization()
KMS = ORGANIZATION.endpoints["kms"]
PLAIN = replace(build_baseline(ORGANIZATION), required_services=())


def judge(
    organization: Organization, rule: str, vpc_id: str = HUB, baseline: Baseline = PLAIN
) -> Mapping[str, Verdict]:
    """Evaluate one rule by resource."""
    found = organization.evaluate(vpc_id, baseline)
    return {each.resource: each for each in found if each.rule == rule}


@pytest.mark.parametrize(
    ("edit", "status", "text"),
    [
        (lambda it: it, Status.PASS, f"{KMS_ZONE} leads names to it"),
        (edit_zone(KMS_ZONE, lambda _: None), Status.FAIL, "resolves to the service's public"),
        (edit_records(KMS_ZONE, lambda _: ()), Status.NOT_APPLICABLE, "are decided by"),
        (
            forbid_reading(SharedFacet.ZONES, "", HUB_ACCOUNT, edit_zone(KMS_ZONE, lambda _: None)),
            Status.UNKNOWN,
            "route53:ListHostedZones in 100000000001",
        ),
    ],
)
def test_private_dns_may_be_off_where_zones_lead_to_the_endpoint(
    edit: Edit, status: Status, text: str
) -> None:
    """A zone without the record is reported by its own rule."""
    verdict = judge(edit(ORGANIZATION), NO_PRIVATE_DNS)[KMS.id]
    assert verdict.status is status
    assert text in verdict.summary


def test_without_the_shared_network_private_dns_of_a_connected_vpc_is_unknown() -> None:
    """Zones may lead to the endpoint; the summary names the switch."""
    alone = replace(ORGANIZATION.build_context(HUB, PLAIN), shared=None)
    found = [each for each in evaluate_context(alone) if each.rule == NO_PRIVATE_DNS]
    assert {each.status for each in found} == {Status.UNKNOWN}
    assert "SharedNetwork" in found[0].summary


def test_a_rule_that_takes_the_names_of_private_dns_is_found() -> None:
    """Private DNS of the VPC's own endpoint has no effect beside a rule of the same name."""
    organization = build_organization(names=Names.PROFILE_ENDPOINTS)
    assert judge(organization, NO_EFFECT)[KMS.id].status is Status.PASS
    domain = f"api.ecr.{REGION}.amazonaws.com"
    zone = HostedZone("Z-x", domain, HUB_ACCOUNT, ())
    rule = ResolverRule("rslvr-rr-x", domain, RuleKind.SYSTEM, (), HUB_ACCOUNT)
    unchanged = add_rule(rule, HUB)(organization)
    endpoint_id = organization.endpoints["ecr.api"].id
    assert judge(unchanged, NO_EFFECT)[endpoint_id].status is Status.PASS
    inbound = next(iter(build_organization(names=Names.FORWARDING).shared.resolvers.values()))
    apart = replace(inbound, id="rslvr-in-x", vpc_id=SPOKE)
    forward = ResolverRule("rslvr-rr-y", domain, RuleKind.FORWARD, apart.addresses, HUB_ACCOUNT)
    spoke = organization.snapshots[SPOKE]
    broken = add_rule(forward, HUB)(add_zone(zone, SPOKE)(organization)).edit_shared(
        resolvers={apart.id: apart}, central_vpcs={SPOKE: spoke}
    )
    verdict = judge(broken, NO_EFFECT)[endpoint_id]
    assert verdict.status is Status.FAIL
    assert "Z-x" in verdict.summary


def test_blocks_of_the_users_are_no_other_networks() -> None:
    """The pass counts the users; addresses that no network has do not matter."""
    verdict = judge(ORGANIZATION, OPEN)[KMS.id]
    assert verdict.status is Status.PASS
    assert "its own VPC and 2 users" in verdict.summary
    wide = judge(admit("10.0.0.0/8")(ORGANIZATION), OPEN)
    assert {each.status for each in wide.values()} == {Status.PASS}


def add_vpn() -> Organization:
    """Let the group admit everyone in the organization, and route a block to a VPN connection."""
    admitted = admit("10.0.0.0/8")(ORGANIZATION)
    attachment = replace(
        admitted.shared.attachments["tgw-attach-hub"],
        id="tgw-attach-vpn",
        kind=AttachmentKind.VPN,
        resource_id="vpn-0001",
        subnet_ids=(),
    )
    return add_transit_route(HUB_TABLE, "10.200.0.0/16", attachment.id)(
        admitted.edit_shared(attachments={attachment.id: attachment})
    )


def test_networks_behind_a_vpn_that_the_group_admits_are_named() -> None:
    """They are no users, and a route leads back to them."""
    verdict = judge(add_vpn(), OPEN)[KMS.id]
    assert verdict.status is Status.FAIL
    assert verdict.summary.endswith("can be used from other networks: 10.200.0.0/16")
    assert any("tgw-attach-vpn" in each.text for each in verdict.evidence)
    assert verdict.remediation is not None
    assert "10.0.16.0/20" in verdict.remediation.command
    assert "10.0.32.0/20" in verdict.remediation.command


def allow_accounts(*accounts: str) -> str:
    """Write a policy that allows these accounts and their resources."""
    condition = {
        "StringEquals": {"aws:PrincipalAccount": accounts, "aws:ResourceAccount": accounts}
    }
    statement = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    return json.dumps({"Statement": [{**statement, "Condition": condition}]})


def test_the_accounts_of_users_are_trusted_in_the_policies_of_the_hub_only() -> None:
    """Trust of the baseline is not widened for anything else, and not by other accounts."""
    spoke, other = get_spoke_account(1), "999988887777"
    alone = Baseline(trusted_accounts=frozenset({HUB_ACCOUNT}))
    users = edit_endpoint("kms", policy=allow_accounts(HUB_ACCOUNT, spoke))(ORGANIZATION)
    assert judge(users, PRINCIPALS, HUB, alone)[KMS.id].status is Status.PASS
    others = edit_endpoint("kms", policy=allow_accounts(HUB_ACCOUNT, other))(ORGANIZATION)
    assert judge(others, PRINCIPALS, HUB, alone)[KMS.id].status is Status.FAIL
    context = replace(users.build_context(HUB, alone), shared=None)
    (verdict,) = (
        each
        for each in evaluate_context(context)
        if each.rule == PRINCIPALS and each.resource == KMS.id
    )
    assert verdict.status is Status.FAIL
    gateways = [
        it for it in users.snapshots[HUB].endpoints.values() if it.type is EndpointType.GATEWAY
    ]
    for each in gateways:
        assert spoke not in users.build_context(HUB, alone).build_policy_check(each).trust.accounts


def test_one_zone_is_judged_against_the_zones_of_the_users() -> None:
    """A hub with subnets in one zone serves VPCs in several."""
    organization = build_organization(zones="ab")
    hub = organization.snapshots[HUB]
    kept = {name: each for name, each in hub.subnets.items() if each.zone.endswith("a")}
    endpoint = organization.endpoints["kms"]
    narrow = organization.edit_vpc(
        HUB,
        lambda it: replace(
            it,
            subnets=kept,
            endpoints={
                **it.endpoints,
                endpoint.id: replace(
                    endpoint,
                    subnet_ids=endpoint.subnet_ids[:1],
                    network_interface_ids=endpoint.network_interface_ids[:1],
                ),
            },
        ),
    )
    verdict = judge(narrow, ONE_ZONE)[endpoint.id]
    assert verdict.status is Status.FAIL
    assert "vpc-spoke1 and vpc-spoke2 use it from several Availability Zones" in verdict.summary
    attachments = {
        name: replace(each, subnet_ids=each.subnet_ids[:1])
        for name, each in narrow.shared.attachments.items()
    }
    same = judge(narrow.edit_shared(attachments=attachments), ONE_ZONE)[endpoint.id]
    assert same.status is Status.NOT_APPLICABLE


def lead_s3_to_hub() -> Organization:
    """Build an organization whose hub has an S3 interface endpoint with a zone."""
    hub = ORGANIZATION.snapshots[HUB]
    interfaces = {
        f"{each.id}-s3": replace(each, id=f"{each.id}-s3")
        for name, each in hub.network_interfaces.items()
        if name in KMS.network_interface_ids
    }
    endpoint = replace(
        KMS,
        id="vpce-0aaaaaaaaaaaaaaa1",
        service_name=S3,
        network_interface_ids=tuple(interfaces),
        dns_names=(f"vpce-0aaaaaaaaaaaaaaa1-abcdefgh.s3.{REGION}.vpce.amazonaws.com",),
    )
    organization = ORGANIZATION.edit_vpc(
        HUB,
        lambda it: replace(
            it,
            endpoints={**it.endpoints, endpoint.id: endpoint},
            network_interfaces={**it.network_interfaces, **interfaces},
        ),
    )
    for name in ("s3", "s3-accesspoint", "s3-control"):
        domain = f"{name}.{REGION}.amazonaws.com"
        zone = HostedZone(
            f"Z-{name}", domain, HUB_ACCOUNT, list_records(domain, endpoint, wildcard=True)
        )
        organization = add_zone(zone, SPOKE)(organization)
    return organization


def test_a_gateway_endpoint_that_names_lead_past_is_a_cost() -> None:
    """The routes of the gateway endpoint are for public addresses only."""
    assert {each.status for each in judge(ORGANIZATION, BYPASSED, SPOKE).values()} == {Status.PASS}
    found = judge(lead_s3_to_hub(), BYPASSED, SPOKE)
    verdict = found["vpce-spoke1-s3"]
    assert verdict.status is Status.FAIL
    assert "vpce-0aaaaaaaaaaaaaaa1 in another VPC" in verdict.summary
    assert any("20.00" in each.text for each in verdict.evidence)
    assert found["vpce-spoke1-dynamodb"].status is Status.PASS


def test_traffic_to_a_central_endpoint_does_not_leave_by_the_internet() -> None:
    """Without a gateway endpoint, S3 names that lead to the hub are no bypass by a NAT gateway."""
    organization = lead_s3_to_hub()
    bare = organization.edit_vpc(
        SPOKE,
        lambda it: replace(
            it,
            endpoints={},
            route_tables={
                name: replace(
                    table, routes=tuple(each for each in table.routes if not each.prefix_list_id)
                )
                for name, table in it.route_tables.items()
            },
        ),
    )
    found = judge(bare, "gateway-service-uses-other-network", SPOKE)
    assert all("s3" not in each.summary for each in found.values() if each.status is Status.FAIL)


def test_an_endpoint_beside_a_central_one_is_a_cost() -> None:
    """Its private DNS is off, and every name leads to the hub."""
    own = replace(KMS, id="vpce-0bbbbbbbbbbbbbbb1", vpc_id=SPOKE, network_interface_ids=())
    organization = ORGANIZATION.edit_vpc(
        SPOKE, lambda it: replace(it, endpoints={**it.endpoints, own.id: own})
    )
    verdict = judge(organization, BESIDE, SPOKE)[own.id]
    assert verdict.status is Status.FAIL
    assert any("equal at 730 GB a month" in each.text for each in verdict.evidence)
    records = (DnsRecord(KMS_NAME, "A", alias=f"{own.id}-x.kms.{REGION}.vpce.amazonaws.com"),)
    used = edit_records(KMS_ZONE, lambda _: records)(organization)
    assert judge(used, BESIDE, SPOKE)[own.id].status is Status.PASS


def list_answers(organization: Organization, vpc_id: str, shared: SharedNetwork) -> list[object]:
    """List what all rules answer, but their remediation."""
    context = VpcContext(organization.snapshots[vpc_id], PLAIN, proposes=False, shared=shared)
    rules = [each for each in VPC_RULES if each.family is not Family.TRUST]
    return [
        (each.rule, each.resource, each.status, each.severity, each.summary, each.evidence)
        for each in evaluate_context(context, rules)
    ]


@pytest.mark.parametrize("name", [*BREAKS, "VPN"])
def test_the_facts_that_a_vpc_depends_on_are_all_that_rules_need(name: str) -> None:
    """The monitor evaluates a VPC with these alone, and again only if they change."""
    broken = BREAKS.get(name)
    organization = broken.edit(DESIGNS[broken.design]()) if broken else add_vpn()
    for vpc_id in {HUB, SPOKE} & organization.snapshots.keys():
        view = restrict_network(organization.shared, organization.snapshots[vpc_id])
        answers = list_answers(organization, vpc_id, organization.shared)
        assert list_answers(organization, vpc_id, view) == answers


def test_every_rule_about_costs_of_central_endpoints_is_tested() -> None:
    """A new rule needs its networks."""
    assert {each.id for each in central.COST_RULES} == {BYPASSED, BESIDE}
