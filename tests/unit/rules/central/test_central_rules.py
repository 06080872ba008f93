"""A broken step of the use of a central endpoint is one finding, by the rule of that step.

Where the service is required, it is that of the rule about required services; otherwise each step
has its rule. Whole designs are the subject of test_public_designs.py.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from network_builders import REGION, verdict_text
from organization_breaks import BREAKS, TO_DATA_CENTER, Break
from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    PROFILE,
    Names,
    Organization,
    build_baseline,
    build_organization,
    get_block,
    get_spoke_account,
)
from organization_designs import DESIGNS
from organization_edits import (
    KMS_ZONE,
    SPOKE,
    Edit,
    add_rule,
    add_zone,
    admit,
    delete_endpoint,
    drop_routes,
    edit_endpoint,
    edit_records,
    edit_vpc,
    edit_zone,
    leave_out_hub,
    point_to,
    rename_zone,
)
from posture.model.baseline import Baseline, CentralEndpoints, VpcSelector
from posture.model.network import Facet
from posture.model.shared_network import (
    DnsRecord,
    HostedZone,
    Profile,
    ProfileUse,
    SharedFacet,
    UnreadFact,
)
from posture.model.verdict import Severity, Status, Verdict
from posture.rules import central
from posture.rules.engine import evaluate_context
from posture.rules.rule_catalogue import RULES_BY_ID, VPC_RULES

REQUIRED = "required-service-without-endpoint"
PAST = "names-bypass-central-endpoint"
OVERRULED = "hosted-zone-overruled"
RECORD = "hosted-zone-without-record"
DANGLING = "hosted-zone-record-dangling"
UNREACHABLE = "central-endpoint-unreachable"
RETURN = "central-endpoint-return-path-missing"
UNLISTED = "central-endpoint-unlisted-user"
BAD = {Status.FAIL, Status.UNKNOWN}
KMS = f"com.amazonaws.{REGION}.kms"
KMS_NAME = f"kms.{REGION}.amazonaws.com"
LEFT = HostedZone("Z-left", KMS_NAME, get_spoke_account(1), ())
ENDPOINT = "vpce-00000000000000003"  # of KMS
GONE = "vpce-0fffffffffffffff0"

ORGANIZATION = build_organization()
BY_PROFILE = build_organization(names=Names.PROFILE)


def require(organization: Organization, *services: str) -> Baseline:
    """Build a baseline that requires these services only."""
    return replace(build_baseline(organization), required_services=services)


ANY_SERVICE = require(ORGANIZATION)


def list_bad(
    organization: Organization, vpc_id: str = SPOKE, baseline: Baseline | None = None
) -> list[Verdict]:
    """List what fails or is unknown in a VPC."""
    found = organization.evaluate(vpc_id, baseline or ANY_SERVICE)
    return [each for each in found if each.status in BAD]


def judge(
    organization: Organization,
    rule: str,
    vpc_id: str = SPOKE,
    baseline: Baseline | None = None,
) -> Mapping[str, Verdict]:
    """Evaluate one rule by resource."""
    found = organization.evaluate(vpc_id, baseline or ANY_SERVICE)
    return {each.resource: each for each in found if each.rule == rule}


ANY = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def write_policy(**more: object) -> str:
    """Write a policy with one statement."""
    return json.dumps({"Statement": {**ANY, **more}})


def allow_if(operator: str, key: str, *values: str) -> str:
    """Write a policy that allows everything under a condition."""
    return write_policy(Condition={operator: {key: list(values)}})


def allow_accounts(*accounts: str) -> str:
    """Write a policy that allows these accounts only."""
    return write_policy(Condition={"StringEquals": {"aws:PrincipalAccount": accounts}})


BROKEN: Mapping[str, tuple[Organization, Edit, str, str]] = {
    PAST: (
        ORGANIZATION,
        edit_records(KMS_ZONE, lambda _: (DnsRecord(KMS_NAME, "CNAME", ("proxy.example.com",)),)),
        KMS,
        "proxy.example.com",
    ),
    "to another service": (ORGANIZATION, point_to("ecr.api"), KMS, "is an endpoint for ecr.api"),
    OVERRULED: (BY_PROFILE, add_zone(LEFT, SPOKE), KMS_ZONE, "Z-left covers kms"),
    RECORD: (ORGANIZATION, edit_records(KMS_ZONE, lambda _: ()), KMS_ZONE, "has no record for kms"),
    "misnamed": (
        ORGANIZATION,
        edit_zone(KMS_ZONE, lambda zone: rename_zone(zone, f"key.{REGION}.amazonaws.com")),
        KMS_ZONE,
        f"is named key.{REGION}.amazonaws.com, and clients ask for {KMS_NAME}",
    ),
    DANGLING: (ORGANIZATION, delete_endpoint("kms"), KMS_ZONE, f"to {ENDPOINT}, which does not"),
    UNREACHABLE: (ORGANIZATION, drop_routes(SPOKE), KMS, "rtb-spoke1 has no route to"),
    RETURN: (ORGANIZATION, drop_routes(HUB), KMS, "rtb-hub has no route to"),
    "policy": (
        ORGANIZATION,
        edit_endpoint("kms", policy=allow_accounts(HUB_ACCOUNT, get_spoke_account(2))),
        KMS,
        f"the policy of {ENDPOINT} allows no request of account {get_spoke_account(1)}",
    ),
}
RULE_OF = {"to another service": PAST, "misnamed": RECORD, "policy": UNREACHABLE}


@pytest.mark.parametrize("name", BROKEN)
def test_each_step_has_its_rule(name: str) -> None:
    """It fails for the resource that decides, and no other rule does for that service."""
    organization, edit, resource, text = BROKEN[name]
    rule = RULE_OF.get(name, name)
    assert list_bad(organization) == []
    broken = edit(organization)
    found = list_bad(broken)
    assert {each.rule for each in found} == {rule}
    (verdict,) = (each for each in found if each.resource == resource)
    assert text in verdict.summary
    assert verdict.evidence
    assert verdict.root


@pytest.mark.parametrize("name", BROKEN)
def test_a_required_service_is_reported_once(name: str) -> None:
    """The other rules do not apply where the rule about required services says it."""
    organization, edit, resource, _ = BROKEN[name]
    broken = edit(organization)
    baseline = require(broken, "kms")
    found = [each for each in list_bad(broken, baseline=baseline) if "kms" in verdict_text(each)]
    assert [(each.rule, each.resource) for each in found] == [(REQUIRED, KMS)]
    assert found[0].status is Status.FAIL
    rule = RULE_OF.get(name, name)
    assert judge(broken, rule, baseline=baseline)[resource].status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_no_broken_link_is_reported_twice(broken: Break) -> None:
    """Each VPC has at most one finding for each service, required or not, known or not."""
    intact = DESIGNS[broken.design]()
    organization = broken.edit(intact)
    services = len(broken.services or intact.endpoints)
    rules = [each for each in VPC_RULES if each.id == REQUIRED or each in central.RULES]
    for baseline in (ANY_SERVICE, build_baseline(intact)):
        for vpc_id in organization.snapshots:
            context = replace(organization.build_context(vpc_id, baseline), proposes=False)
            found = evaluate_context(context, rules)
            about = [each.summary for each in found if each.status in BAD]
            assert len(about) <= services, about


@pytest.mark.parametrize("rule", [PAST, OVERRULED, RECORD, DANGLING, UNREACHABLE, RETURN])
def test_an_intact_design_passes_each_rule(rule: str) -> None:
    """For every service; and nothing is evaluated where the shared network is not read."""
    found = judge(ORGANIZATION, rule)
    assert found
    assert {each.status for each in found.values()} == {Status.PASS}
    alone = replace(ORGANIZATION.build_context(SPOKE), shared=None)
    assert not list(RULES_BY_ID[rule].evaluate(alone))  # type: ignore[arg-type]


def test_a_required_service_passes_with_the_path_as_evidence() -> None:
    """Each step from the DNS servers to the return route is named."""
    verdict = judge(ORGANIZATION, REQUIRED, baseline=require(ORGANIZATION, "kms"))[KMS]
    assert verdict.status is Status.PASS
    assert f"{ENDPOINT} in {HUB}" in verdict.summary
    steps = [each.record["step"] for each in verdict.evidence if "step" in each.record]
    assert list(dict.fromkeys(steps)) == [
        "DNS servers",
        "name",
        "endpoint",
        "route",
        "attachment",
        "transit gateway route",
        "network ACL",
        "security group",
        "return route",
    ]


def test_without_the_shared_network_a_required_service_is_unknown_in_a_connected_vpc() -> None:
    """The remedy names the switch; a VPC without a route to other networks still fails."""
    baseline = require(ORGANIZATION, "kms")
    connected = replace(ORGANIZATION.build_context(SPOKE, baseline), shared=None)
    (verdict,) = (each for each in evaluate_context(connected) if each.rule == REQUIRED)
    assert verdict.status is Status.UNKNOWN
    assert verdict.remediation is not None
    assert "SharedNetwork" in verdict.remediation.text
    lonely = drop_routes(SPOKE)(ORGANIZATION).build_context(SPOKE, baseline)
    alone = evaluate_context(replace(lonely, shared=None))
    (verdict,) = (each for each in alone if each.rule == REQUIRED)
    assert verdict.status is Status.FAIL


def test_a_failure_compares_the_costs_of_both_designs() -> None:
    """In dollars: an endpoint in the VPC, and data by the transit gateway."""
    broken = drop_routes(SPOKE)(ORGANIZATION)
    verdict = judge(broken, REQUIRED, baseline=require(broken, "kms"))[KMS]
    (costs,) = (each for each in verdict.evidence if "equal_at_gb_a_month" in each.record)
    assert costs.record["own_dollars_a_month"] == "14.60"
    assert costs.record["equal_at_gb_a_month"] == "730"


def test_part_of_the_subnets_is_less_severe() -> None:
    """The others reach the endpoint."""
    attachments = ORGANIZATION.shared.attachments
    attachment = replace(attachments["tgw-attach-spoke1"], subnet_ids=("subnet-spoke1-tgw-a",))
    broken = ORGANIZATION.edit_shared(attachments={attachment.id: attachment})
    verdict = judge(broken, REQUIRED, baseline=require(broken, "kms"))[KMS]
    assert verdict.severity is Severity.MEDIUM
    assert verdict.summary.startswith("subnet-spoke1-b ")
    assert "cannot reach kms" in verdict.summary


@pytest.mark.parametrize(
    ("edit", "rule", "resource", "text"),
    [
        (
            edit_vpc(SPOKE, dns_servers=("192.168.7.53",)),
            PAST,
            KMS,
            "names the DNS servers 192.168.7.53",
        ),
        (leave_out_hub, PAST, KMS, f"{ENDPOINT} is in no VPC that was evaluated"),
    ],
)
def test_what_is_not_known_is_unknown_once(edit: Edit, rule: str, resource: str, text: str) -> None:
    """With the fact that is missing."""
    found = list_bad(edit(ORGANIZATION))
    assert {each.rule for each in found} == {rule}
    (verdict,) = (each for each in found if each.resource == resource)
    assert verdict.status is Status.UNKNOWN
    assert text in verdict.summary


def test_what_aws_does_not_document_is_no_fact_that_could_be_read() -> None:
    """So the advice is to make it certain: of two Profiles, one has a broader zone."""
    zone = HostedZone("Z-broad", f"{REGION}.amazonaws.com", HUB_ACCOUNT, ())
    vpc = BY_PROFILE.shared.vpcs[SPOKE]
    uses = (ProfileUse(PROFILE, 100), ProfileUse("rp-0002", 50))
    organization = BY_PROFILE.edit_shared(
        zones={zone.id: zone},
        profiles={"rp-0002": Profile("rp-0002", HUB_ACCOUNT, zone_ids=(zone.id,))},
        vpcs={SPOKE: replace(vpc, profiles=uses)},
    )
    verdict = judge(organization, REQUIRED, baseline=require(organization, "kms"))[KMS]
    assert verdict.status is Status.UNKNOWN
    assert "does not document" in verdict.summary
    assert verdict.remediation
    assert "Remove all but one" in verdict.remediation.text


def test_a_rule_in_conflict_with_a_zone_is_reported_although_its_answer_is_not_known() -> None:
    """The zone is certainly not used."""
    (verdict,) = list_bad(add_rule(TO_DATA_CENTER)(ORGANIZATION))
    assert (verdict.rule, verdict.resource) == (OVERRULED, KMS_ZONE)
    assert TO_DATA_CENTER.id in verdict.summary


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (allow_accounts(HUB_ACCOUNT, get_spoke_account(1)), Status.PASS),
        (allow_accounts(HUB_ACCOUNT), Status.FAIL),
        (write_policy(), Status.PASS),
        (write_policy(Resource=f"arn:aws:kms:*:{HUB_ACCOUNT}:key/*"), Status.PASS),
        (write_policy(Action=["sqs:*", "kms:Decrypt"]), Status.PASS),
        (write_policy(Action="sqs:*"), Status.FAIL),
        (f'{{"Statement": "{HUB_ACCOUNT}"', Status.UNKNOWN),
        (f'["{HUB_ACCOUNT}"]', Status.UNKNOWN),
        ('{"Statement": []}', Status.FAIL),
        (allow_if("StringEquals", "aws:PrincipalOrgID", "o-zzzzzzzzzz"), Status.FAIL),
        (
            allow_if(
                "StringEquals", "aws:PrincipalOrgID", "o-zzzzzzzzzz", ANY_SERVICE.organization
            ),
            Status.PASS,
        ),
        (allow_if("StringEquals", "aws:ResourceOrgID", "o-zzzzzzzzzz"), Status.PASS),
        (allow_if("StringEquals", "aws:SourceVpc", HUB), Status.PASS),
        (allow_if("StringEquals", "aws:SourceVpc", SPOKE), Status.FAIL),
        (allow_if("IpAddress", "aws:VpcSourceIp", str(get_block(0))), Status.FAIL),
        (allow_if("IpAddress", "aws:VpcSourceIp", "10.0.0.0/8"), Status.PASS),
    ],
)
def test_the_policy_of_the_endpoint_is_the_last_step(policy: str, status: Status) -> None:
    """It fails only if the policy allows no request at all of the VPC's account.

    The VPC that a request comes from is that of the endpoint.
    """
    organization = edit_endpoint("kms", policy=policy)(ORGANIZATION)
    assert judge(organization, UNREACHABLE)[KMS].status is status


@pytest.mark.parametrize(
    ("other", "rule", "text"),
    [
        (DnsRecord(KMS_NAME, "A", ("52.94.5.1",), policy="weighted"), PAST, "only in part"),
        (
            DnsRecord(
                KMS_NAME, "A", alias=f"{GONE}-x.kms.{REGION}.vpce.amazonaws.com", policy="weighted"
            ),
            DANGLING,
            f"to {GONE}, which does not exist",
        ),
    ],
)
def test_each_record_with_a_routing_policy_counts(other: DnsRecord, rule: str, text: str) -> None:
    """One of two leads elsewhere, so some clients do."""
    first = replace(ORGANIZATION.shared.zones[KMS_ZONE].records[0], policy="weighted")  # type: ignore[index]
    broken = edit_records(KMS_ZONE, lambda _: (first, other))(ORGANIZATION)
    (verdict,) = list_bad(broken)
    assert verdict.rule == rule
    assert text in verdict.summary
    (verdict,) = list_bad(broken, baseline=require(broken, "kms"))
    assert verdict.rule == REQUIRED


@pytest.mark.parametrize(("own", "other"), [(200, 100), (100, 200)])
def test_of_two_profiles_the_lower_priority_decides(own: int, other: int) -> None:
    """The zone of the other one has no effect."""
    vpc = BY_PROFILE.shared.vpcs[SPOKE]
    organization = BY_PROFILE.edit_shared(
        zones={LEFT.id: LEFT},
        profiles={"rp-0002": Profile("rp-0002", HUB_ACCOUNT, zone_ids=(LEFT.id,))},
        vpcs={
            SPOKE: replace(vpc, profiles=(ProfileUse(PROFILE, own), ProfileUse("rp-0002", other)))
        },
    )
    found = [(each.rule, each.resource) for each in list_bad(organization)]
    assert found == ([(OVERRULED, KMS_ZONE)] if other < own else [])


def test_a_zone_that_wins_to_the_same_effect_is_no_conflict() -> None:
    """During a migration, both the VPC and its Profile have the zone."""
    zone = replace(BY_PROFILE.shared.zones[KMS_ZONE], id="Z-left")
    assert list_bad(add_zone(zone, SPOKE)(BY_PROFILE)) == []


def test_a_record_of_a_custom_domain_may_point_to_an_endpoint() -> None:
    """Only names of AWS services are taken for mistakes."""
    records = (
        DnsRecord("keys.example.com", "A", alias=ORGANIZATION.endpoints["kms"].dns_names[0]),
    )
    zone = HostedZone("Z-custom", "keys.example.com", HUB_ACCOUNT, records)
    assert list_bad(add_zone(zone, SPOKE)(ORGANIZATION)) == []


@pytest.mark.parametrize(
    ("owner", "unread", "status"),
    [
        (HUB_ACCOUNT, (), Status.FAIL),
        ("999999999999", (), Status.UNKNOWN),
        (
            HUB_ACCOUNT,
            (UnreadFact(SharedFacet.CENTRAL_VPC, HUB_ACCOUNT, "denied"),),
            Status.UNKNOWN,
        ),
    ],
)
def test_a_record_dangles_only_if_the_account_of_its_zone_was_read(
    owner: str, unread: tuple[UnreadFact, ...], status: Status
) -> None:
    """An endpoint in a VPC that was not evaluated may exist."""
    alias = f"vpce-0fffffffffffffff0-abcdefgh.kms.{REGION}.vpce.amazonaws.com"
    zone = HostedZone(
        "Z-x", "x.example.com", owner, (DnsRecord("x.example.com", "A", alias=alias),)
    )
    organization = add_zone(zone, SPOKE)(ORGANIZATION).edit_shared(unread=unread)
    assert judge(organization, DANGLING)["Z-x"].status is status


def test_names_that_clients_opt_for_count_only_where_the_design_has_them() -> None:
    """A dual-stack name without a zone is common; one whose zone is not associated is missed."""
    organization = build_organization(services=("monitoring",))
    zone_id = f"Z-monitoring.{REGION}.api.aws"
    without = edit_zone(zone_id, lambda _: None)(organization)
    assert list_bad(without) == []
    vpc = organization.shared.vpcs[SPOKE]
    ids = tuple(each for each in vpc.zone_ids if each != zone_id)
    apart = organization.edit_shared(vpcs={SPOKE: replace(vpc, zone_ids=ids)})
    (verdict,) = list_bad(apart)
    assert (verdict.rule, verdict.severity) == (PAST, Severity.LOW)
    assert f"monitoring.{REGION}.api.aws" in verdict.summary


def demand(spokes: VpcSelector, **more: object) -> Baseline:
    """Build a baseline whose hub is the organization's, with these spokes."""
    entry = CentralEndpoints(VpcSelector(vpcs=frozenset({HUB})), spokes=spokes)
    return replace(require(ORGANIZATION), central_endpoints=(entry,), **more)  # type: ignore[arg-type]


EVERY = VpcSelector()
ONLY_FIRST = VpcSelector(accounts=frozenset({get_spoke_account(1)}))
UNIT = VpcSelector(organizational_units=frozenset({"ou-ab12-11111111"}))


def test_a_spoke_must_use_the_hub_that_the_baseline_names() -> None:
    """Its names may lead to no other place, required or not; other VPCs are free."""
    vpc = ORGANIZATION.shared.vpcs[SPOKE]
    ids = tuple(each for each in vpc.zone_ids if each != KMS_ZONE)
    past = ORGANIZATION.edit_shared(vpcs={SPOKE: replace(vpc, zone_ids=ids)})
    assert list_bad(past) == []
    (verdict,) = list_bad(past, baseline=demand(EVERY))
    assert (verdict.rule, verdict.resource) == (PAST, KMS)
    assert "leads to public addresses" in verdict.summary
    others = VpcSelector(accounts=frozenset({get_spoke_account(2)}))
    assert list_bad(past, baseline=demand(others)) == []
    (verdict,) = list_bad(past, baseline=demand(UNIT))
    assert verdict.status is Status.UNKNOWN
    assert "organizational unit" in verdict.summary
    path = "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"
    (verdict,) = list_bad(past, baseline=demand(UNIT, organization=path))
    assert verdict.status is Status.FAIL


def test_a_spoke_that_nothing_leads_to_the_hub_is_one_finding() -> None:
    """Where the baseline names no services, those of the hub are not known to the spoke."""
    apart = ORGANIZATION.edit_shared(central_vpcs={HUB: None})
    vpc = apart.shared.vpcs[SPOKE]
    apart = apart.edit_shared(vpcs={SPOKE: replace(vpc, zone_ids=())})
    (verdict,) = list_bad(apart, baseline=demand(EVERY))
    assert (verdict.rule, verdict.resource, verdict.status) == (PAST, SPOKE, Status.FAIL)


def test_only_the_spokes_of_the_baseline_may_use_a_hub() -> None:
    """The hub reports each other VPC; an unknown organizational unit is unknown."""
    assert judge(ORGANIZATION, UNLISTED, HUB) == {}
    everyone = judge(ORGANIZATION, UNLISTED, HUB, demand(EVERY))
    assert {each.status for each in everyone.values()} == {Status.PASS}
    found = judge(ORGANIZATION, UNLISTED, HUB, demand(ONLY_FIRST))
    assert {name: each.status for name, each in found.items()} == {
        SPOKE: Status.PASS,
        "vpc-spoke2": Status.FAIL,
    }
    unknown = judge(ORGANIZATION, UNLISTED, HUB, demand(UNIT))
    assert {each.status for each in unknown.values()} == {Status.UNKNOWN}
    paths = {
        "*": "o-a1b2c3d4e5/r-ab12/",
        get_spoke_account(1): "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/",
    }
    found = judge(ORGANIZATION, UNLISTED, HUB, demand(UNIT, account_paths=paths))
    assert found["vpc-spoke2"].status is Status.FAIL
    assert found[SPOKE].status is Status.PASS


def test_a_group_that_admits_a_vpc_that_is_no_spoke_names_it() -> None:
    """Even if no name leads it to the endpoint: a route without need."""
    rule = "endpoint-open-to-other-networks"
    admitted = admit("10.0.0.0/8")(ORGANIZATION)
    assert {each.status for each in judge(admitted, rule, HUB).values()} == {Status.PASS}
    found = judge(admitted, rule, HUB, demand(ONLY_FIRST))
    assert {each.status for each in found.values()} == {Status.FAIL}
    assert "10.0.32.0/20" in found[ENDPOINT].summary
    assert "10.0.16.0" not in found[ENDPOINT].summary
    assert "vpc-spoke2" in verdict_text(found[ENDPOINT])


def test_every_rule_about_central_endpoints_is_tested_here_or_with_costs() -> None:
    """A new rule needs its networks."""
    here = {PAST, OVERRULED, RECORD, DANGLING, UNREACHABLE, RETURN, UNLISTED}
    assert {each.id for each in central.RULES} == here


@pytest.mark.parametrize("facet", Facet)
def test_a_part_of_the_vpc_that_could_not_be_read_is_never_a_pass(facet: Facet) -> None:
    """As far as the path depends on it, the required service is not reported as reached."""
    empty: dict[Facet, dict[str, Any]] = {
        Facet.SUBNETS: {"subnets": {}},
        Facet.ROUTE_TABLES: {"route_tables": {}},
        Facet.NETWORK_ACLS: {"network_acls": {}},
        Facet.ENDPOINTS: {"endpoints": {}},
        Facet.SERVICES: {"services": {}},
    }
    unread = ORGANIZATION.edit_vpc(
        SPOKE, lambda it: replace(it, unreadable={facet: "denied"}, **empty.get(facet, {}))
    )
    if facet is Facet.DNS_ATTRIBUTES:
        unread = edit_vpc(SPOKE, dns_support=None, dns_hostnames=None)(unread)
    if facet is Facet.DHCP_OPTIONS:
        unread = edit_vpc(SPOKE, dns_servers=None)(unread)
    found = judge(unread, REQUIRED, baseline=require(ORGANIZATION, "kms"))
    statuses = {each.status for each in found.values()}
    decides = {*empty, Facet.DNS_ATTRIBUTES, Facet.DHCP_OPTIONS}
    assert statuses == {Status.UNKNOWN if facet in decides else Status.PASS}


def test_a_vpc_without_a_route_to_others_fails_whatever_could_not_be_read() -> None:
    """Its names may lead to another VPC, but it reaches nothing there."""
    organization = edit_zone(KMS_ZONE, lambda zone: replace(zone, records=None))(ORGANIZATION)
    baseline = require(organization, "kms")
    assert judge(organization, REQUIRED, baseline=baseline)[KMS].status is Status.UNKNOWN
    lonely = judge(drop_routes(SPOKE)(organization), REQUIRED, baseline=baseline)
    assert lonely[KMS].status is Status.FAIL
