"""Presence, state and Region of endpoints."""

from dataclasses import replace
from datetime import timedelta

import pytest

from network_builders import (
    ACCOUNT,
    KMS,
    NOW,
    S3,
    VPC,
    admits,
    build_snapshot,
    cell,
    gateway,
    group,
    interface,
    service,
    statuses,
    subnet,
    table,
    verdict_text,
    verdicts,
)
from posture.analysis.path_outcome import PathOutcome
from posture.edits.command_line import parse_command
from posture.edits.operations.endpoints import CreateVpcEndpoint
from posture.edits.operations.security_groups import (
    AuthorizeSecurityGroupIngress,
    CreateSecurityGroup,
)
from posture.model.baseline import Baseline
from posture.model.network import Endpoint, EndpointType, Facet, SecurityGroup
from posture.model.verdict import Status

MISSING = "required-service-without-endpoint"
BROKEN = "endpoint-not-available"
ABROAD = "endpoint-in-other-region"
IAM = "com.amazonaws.iam"
NEEDS_KMS = Baseline(required_services=("kms",))


# --- shared VPCs ---------------------------------------------------------------------------------


def test_a_participant_does_not_see_the_endpoints_of_a_shared_vpc() -> None:
    """Whether its owner has the required endpoint is unknown, and so is what names resolve to."""
    snapshot = build_snapshot(subnet("a"), vpc=replace(VPC, owner="999988887777"))
    verdict = verdicts(MISSING, snapshot, NEEDS_KMS)[KMS]
    assert verdict.status is Status.UNKNOWN
    assert "999988887777" in verdict.summary
    assert cell(snapshot, "a", S3).outcome is PathOutcome.UNKNOWN


def test_the_owner_of_a_vpc_sees_all_endpoints() -> None:
    """As before."""
    snapshot = build_snapshot(vpc=replace(VPC, owner=ACCOUNT))
    assert statuses(MISSING, snapshot, NEEDS_KMS) == {KMS: Status.FAIL}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("com.amazonaws.iam", Status.PASS),
        ("com.amazonaws.route53", Status.PASS),
        ("com.amazonaws.us-east-1.kms", Status.FAIL),
    ],
)
def test_a_global_service_is_in_no_other_region(name: str, status: Status) -> None:
    """AWS offers it in one Region only; its remedy could not be followed."""
    endpoint = interface("1", name, service_region="us-east-1")
    assert statuses(ABROAD, build_snapshot(endpoint)) == {"vpce-1": status}


def test_a_short_name_means_the_service_of_the_own_region() -> None:
    """An endpoint for KMS of another Region does not meet the requirement of `kms`."""
    other = "com.amazonaws.us-west-2.kms"
    snapshot = build_snapshot(service(other), interface("1", other, service_region="us-west-2"))
    assert statuses(MISSING, snapshot, NEEDS_KMS) == {KMS: Status.FAIL}


# --- required services ---------------------------------------------------------------------------


def test_nothing_is_required_by_default() -> None:
    """Without a baseline no endpoint is required."""
    assert statuses(MISSING, build_snapshot()) == {}


@pytest.mark.parametrize(
    ("endpoints", "status"),
    [
        ([], Status.FAIL),
        ([interface("1")], Status.PASS),
        ([interface("1", state="pending")], Status.NOT_APPLICABLE),
        ([interface("1", state="failed")], Status.FAIL),
        ([interface("1", state="deleted")], Status.FAIL),
        ([interface("1", S3)], Status.FAIL),
        ([interface("1", type=EndpointType.GATEWAY_LOAD_BALANCER)], Status.FAIL),
        ([interface("1", state="failed"), interface("2")], Status.PASS),
    ],
    ids=["none", "one", "coming", "failed", "deleted", "another's", "no such type", "one of two"],
)
def test_a_required_service(endpoints: list[Endpoint], status: Status) -> None:
    """It needs an available endpoint; one that is on the way is not missing."""
    assert statuses(MISSING, build_snapshot(*endpoints), NEEDS_KMS) == {KMS: status}


def test_the_finding_is_about_the_service() -> None:
    """There is no endpoint to name; failed ones are evidence."""
    verdict = verdicts(MISSING, build_snapshot(interface("1", state="failed")), NEEDS_KMS)[KMS]
    assert "vpc-1 has no available endpoint for com.amazonaws.eu-west-1.kms" in verdict.summary
    assert "vpce-1 (Interface endpoint" in verdict_text(verdict)
    assert "vpc-1" in verdict.concerns


def test_a_deleted_endpoint_is_still_a_cause() -> None:
    """So that the caller who deleted it is named."""
    gone = interface("9", state="deleted")
    assert "vpce-9" in verdicts(MISSING, build_snapshot(gone), NEEDS_KMS)[KMS].concerns


def test_a_missing_gateway_endpoint_has_a_command() -> None:
    """With the route tables in use, and a policy that keeps others out."""
    snapshot = build_snapshot(subnet("a"), table("main", main=True))
    verdict = verdicts(MISSING, snapshot, Baseline(required_services=("s3",)))[S3]
    assert verdict.remediation is not None
    (created,) = parse_command(verdict.remediation.command)
    assert isinstance(created, CreateVpcEndpoint)
    assert (created.service_name, created.route_table_ids) == (S3, ("rtb-main",))
    assert created.policy_document is not None
    assert '"aws:PrincipalAccount":"111122223333"' in created.policy_document


SNS = "com.amazonaws.eu-west-1.sns"


def test_a_missing_interface_endpoint_has_a_command() -> None:
    """In a subnet of each zone, with a security group that allows every subnet."""
    subnets = [subnet("a", "a"), subnet("b", "b"), subnet("c", "b")]
    snapshot = build_snapshot(*subnets, interface("1", SNS))
    remediation = verdicts(MISSING, snapshot, NEEDS_KMS)[KMS].remediation
    assert remediation is not None
    (created,) = parse_command(remediation.command)
    assert isinstance(created, CreateVpcEndpoint)
    assert (created.service_name, created.private_dns_enabled) == (KMS, True)
    assert created.subnet_ids == ("subnet-a", "subnet-b")
    assert created.security_group_ids == ("sg-endpoints",)


@pytest.mark.parametrize(
    "fitting",
    [
        group("endpoints", admits("10.0.0.0/25")),
        group("endpoints", admits("10.0.0.0/16", (80, 80))),
        group("endpoints", admits("0.0.0.0/0")),
        group("endpoints", admits("10.0.0.0/16"), group_name="default"),
    ],
    ids=["a part of the subnet", "another port", "every address", "the default group"],
)
def test_without_a_fitting_group_one_is_created(fitting: SecurityGroup) -> None:
    """It allows the VPC on the port of the service before the endpoint uses it."""
    snapshot = build_snapshot(subnet("a"), fitting)
    remediation = verdicts(MISSING, snapshot, NEEDS_KMS)[KMS].remediation
    assert remediation is not None
    created, authorized, endpoint = parse_command(remediation.command)
    assert isinstance(created, CreateSecurityGroup)
    assert isinstance(authorized, AuthorizeSecurityGroupIngress)
    assert authorized.ip_permissions == (admits("10.0.0.0/16"),)
    assert isinstance(endpoint, CreateVpcEndpoint)
    assert endpoint.security_group_ids == ("sg-new-1",)


def test_without_a_subnet_there_is_no_command() -> None:
    """A command with a gap in it is none."""
    remediation = verdicts(MISSING, build_snapshot(), NEEDS_KMS)[KMS].remediation
    assert remediation is not None
    assert not remediation.command


def test_a_service_the_region_does_not_offer_is_unknown() -> None:
    """A misspelt name must not pass, nor be taken for a missing endpoint."""
    found = verdicts(MISSING, build_snapshot(), Baseline(required_services=("kmss",)))["kmss"]
    assert found.status is Status.UNKNOWN
    assert "Correct the service name in the baseline" in verdict_text(found)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("ecr.dkr", "com.amazonaws.eu-west-1.ecr.dkr"),
        ("kms", "cn.com.amazonaws.eu-west-1.kms"),
        ("kendra-ranking", "aws.api.eu-west-1.kendra-ranking"),
        ("com.amazonaws.iam", "com.amazonaws.iam"),
    ],
)
def test_names_of_all_kinds_are_understood(short: str, full: str) -> None:
    """Services are required by what comes after the region, or by their whole name."""
    snapshot = build_snapshot(service(full), interface("1", full))
    wanted = Baseline(required_services=(short,))
    assert statuses(MISSING, snapshot, wanted) == {full: Status.PASS}


FIPS = "com.amazonaws.eu-west-1.kms-fips"
EITHER = replace(NEEDS_KMS, accept_fips_endpoints=True)


@pytest.mark.parametrize(
    ("baseline", "offered", "endpoint", "expected"),
    [
        (NEEDS_KMS, KMS, interface("1", FIPS), {KMS: Status.FAIL}),
        (EITHER, KMS, interface("1", FIPS), {KMS: Status.PASS}),
        (EITHER, KMS, interface("1", KMS), {KMS: Status.PASS}),
        (EITHER, KMS, interface("1", f"{KMS}-other"), {KMS: Status.FAIL}),
        (EITHER, KMS, interface("1", FIPS, state="failed"), {KMS: Status.FAIL}),
        (Baseline(required_services=("kms-fips",)), KMS, interface("1"), {FIPS: Status.FAIL}),
        (Baseline(required_services=("iam",)), IAM, interface("1", IAM), {IAM: Status.PASS}),
    ],
)
def test_fips_and_global_forms_of_a_required_service(
    baseline: Baseline, offered: str, endpoint: Endpoint, expected: dict[str, Status]
) -> None:
    """FIPS forms have DNS names of their own, so whether they do is for the baseline to say."""
    snapshot = build_snapshot(service(offered), service(FIPS), endpoint)
    assert statuses(MISSING, snapshot, baseline) == expected


def test_a_region_may_offer_only_the_fips_form() -> None:
    """Then it is the one that is missing, if the baseline accepts it."""
    snapshot = replace(build_snapshot(), services={FIPS: service(FIPS)})
    assert statuses(MISSING, snapshot, NEEDS_KMS) == {"kms": Status.UNKNOWN}
    assert statuses(MISSING, snapshot, EITHER) == {FIPS: Status.FAIL}


def test_an_unread_catalogue_is_unknown() -> None:
    """The services of the Region are unknown."""
    snapshot = build_snapshot(unreadable={Facet.SERVICES: "denied"})
    assert statuses(MISSING, snapshot, NEEDS_KMS) == {"vpc-1": Status.UNKNOWN}


# --- states --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("available", Status.PASS),
        ("failed", Status.FAIL),
        ("rejected", Status.FAIL),
        ("expired", Status.FAIL),
        ("partial", Status.FAIL),
        ("levitating", Status.UNKNOWN),
        ("", Status.UNKNOWN),
    ],
)
def test_states(state: str, status: Status) -> None:
    """An endpoint that carries no traffic fails; a state that is not documented is unknown."""
    assert statuses(BROKEN, build_snapshot(interface("1", state=state))) == {"vpce-1": status}


@pytest.mark.parametrize("state", ["pending", "pendingacceptance"])
@pytest.mark.parametrize(
    ("minutes", "status"),
    [(14, Status.NOT_APPLICABLE), (15, Status.NOT_APPLICABLE), (16, Status.FAIL)],
)
def test_pending_has_a_grace(state: str, minutes: int, status: Status) -> None:
    """Fifteen minutes by default, to the minute."""
    endpoint = interface("1", state=state, created_at=NOW - timedelta(minutes=minutes))
    assert statuses(BROKEN, build_snapshot(endpoint)) == {"vpce-1": status}


def test_the_grace_is_the_baselines() -> None:
    """None at all is possible."""
    endpoint = interface("1", state="pending", created_at=NOW - timedelta(seconds=1))
    strict = Baseline(pending_grace_minutes=0)
    assert statuses(BROKEN, build_snapshot(endpoint), strict) == {"vpce-1": Status.FAIL}


def test_pending_without_creation_time_is_unknown() -> None:
    """The grace period cannot be evaluated."""
    endpoint = interface("1", state="pending", created_at=None)
    assert statuses(BROKEN, build_snapshot(endpoint)) == {"vpce-1": Status.UNKNOWN}


def test_the_last_error_is_shown() -> None:
    """It is the first fact to check."""
    verdict = verdicts(
        BROKEN, build_snapshot(interface("1", state="failed", last_error="no addresses"))
    )
    assert "The last error of vpce-1: no addresses" in verdict_text(verdict["vpce-1"])


# --- regions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "status"),
    [
        (interface("1"), Status.PASS),
        (interface("1", "com.amazonaws.eu-central-1.kms"), Status.FAIL),
        (interface("1", KMS, service_region="eu-central-1"), Status.FAIL),
        (interface("1", "com.amazonaws.s3-global.accesspoint"), Status.PASS),
        (interface("1", "com.amazonaws.us-gov-west-1.kms"), Status.FAIL),
        (gateway("1"), Status.PASS),
    ],
    ids=["own", "by name", "by EC2's ServiceRegion", "global", "other partition", "gateway"],
)
def test_regions(endpoint: Endpoint, status: Status) -> None:
    """The Region that EC2 returns, else the one in the name; a global service has none."""
    assert statuses(ABROAD, build_snapshot(endpoint)) == {"vpce-1": status}


def test_an_allowed_region_passes() -> None:
    """The baseline says which."""
    endpoint = interface("1", "com.amazonaws.eu-central-1.kms")
    allowed = Baseline(allowed_regions=frozenset({"eu-central-1"}))
    assert statuses(ABROAD, build_snapshot(endpoint), allowed) == {"vpce-1": Status.PASS}
