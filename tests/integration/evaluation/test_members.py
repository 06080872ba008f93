"""Several accounts in one monitor: each is read by its own role, and affects no other."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.iam import models

from member_accounts import ACCESS, ONE, OTHER, Organization
from monitor_stage import HOME, Stage, attribute_change, event
from posture.ec2.members import assume_member_roles
from posture.errors import SweepIncompleteError
from posture.model.finding import UNKNOWN_CAUSE, FindingStatus
from posture.model.instant import format_iso
from posture.model.scope import Region, Scope
from posture.rules.rule_catalogue import SERVICE_RULES
from posture.runtime import clients
from posture.runtime.deadline import Deadline
from sample_network import ACCOUNT, REGION


@pytest.fixture
def organization(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Organization]:
    """Return an organization of three accounts."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    # Each account has resources of its own, by the keys of a request; others are the monitor's.
    monkeypatch.delenv("MOTO_ACCOUNT_ID")
    monkeypatch.setattr(models, "DEFAULT_ACCOUNT_ID", ACCOUNT)
    forget: Callable[[], None] = clients.session.cache_clear
    forget()
    yield Organization(stage)
    forget()


def test_a_members_change_is_found_in_its_account_alone(organization: Organization) -> None:
    """The scope, the actor and the role are the member's; the other accounts have no finding."""
    assert organization.evaluate(organization.open_group(ONE)) == ()
    found = [it for it in organization.findings(ONE) if it.rule == "endpoint-security-group-open"]
    assert {it.scope.account for it in found} == {ONE}
    assert all(str(it.opened_by.actor).endswith("/bob") for it in found)
    assert organization.findings(OTHER) == []
    assert organization.stage.findings() == []
    assert organization.assumed[0]["RoleArn"] == f"arn:aws:iam::{ONE}:role/posture-look-eu-west-1"
    assert organization.assumed[0]["ExternalId"] == "our-external-id"


def test_a_throttled_account_takes_no_time_of_another(organization: Organization) -> None:
    """It fails after 90 seconds of the 180, is not tried again, and the others are evaluated."""
    left = [180.0]
    theirs = organization.open_group(ONE)
    records = [theirs, theirs | {"eventID": "second"}, organization.open_group(OTHER)]
    attempts: list[str] = []

    def throttle(model: Any, **_: Any) -> None:
        attempts.append(model.name)
        left[0] = min(left[0], 90.0)
        error: Any = {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}
        raise ClientError(error, model.name)

    organization.members[ONE].ec2.meta.events.register("before-call.ec2", throttle)
    result = organization.run(*records, deadline=Deadline(lambda: left[0]))
    assert len(result.failed) == 2
    assert organization.findings(ONE) == []
    assert "endpoint-security-group-open" in {it.rule for it in organization.findings(OTHER)}
    assert len(attempts) == len(set(attempts))  # nothing of it was asked again


def test_without_time_no_account_is_asked(organization: Organization) -> None:
    """The changes come again, instead of with the whole batch after a timeout."""
    records = [organization.open_group(account) for account in (ONE, OTHER)]
    result = organization.run(*records, deadline=Deadline(lambda: 10.0))
    assert len(result.failed) == 2
    assert organization.assumed == []


def test_a_change_of_one_account_concerns_another(organization: Organization) -> None:
    """Its group is associated with the other account's VPC, which is evaluated at once."""
    organization.sweep()
    theirs = organization.networks[OTHER].scope.subject
    scope = Scope(OTHER, REGION, theirs)
    group = frozenset({organization.networks[ONE].group})
    organization.stage.store.resource_index.remember(scope, group, organization.stage.clock())
    organization.open_group(OTHER)  # no event of it arrives
    record = organization.open_group(ONE)
    assert organization.evaluate(record) == ()
    found = {it.rule: it for it in organization.findings(OTHER)}
    assert found["endpoint-security-group-open"].opened_by == UNKNOWN_CAUSE  # bob is of ONE
    organization.lose(OTHER)
    assert organization.evaluate(record) == ()  # that account's trouble is not this change's


def test_a_change_of_an_account_that_is_no_member_is_dropped(organization: Organization) -> None:
    """No other account fills the dead-letter queue; the rest of the batch goes on."""
    unlisted = organization.open_group(ONE) | {"recipientAccountId": "333333333333"}
    organization.stage.open_group()
    (home,) = organization.stage.taken()
    assert organization.evaluate(unlisted, home) == ()
    assert organization.stage.findings()
    assert organization.stage.refused() == {}


def test_an_event_is_about_the_account_that_it_comes_from(organization: Organization) -> None:
    """EventBridge writes the account of an event: a member cannot speak for another account."""
    forged = json.loads(event(organization.open_group(ONE))) | {"account": OTHER}
    for message in (forged, {"tampering": forged}):
        result = organization.run(json.dumps(message))
        assert (result.unmonitored, result.failed, result.results) == (1, (), ())
    assert organization.findings(ONE) == []
    assert organization.evaluate(json.dumps(forged | {"account": ONE})) == ()
    assert organization.findings(ONE)


def test_a_member_that_names_the_vpc_of_another_changes_no_verdict_there(
    organization: Organization,
) -> None:
    """Its events are about its own account, which has no such VPC; nor are they a heartbeat."""
    organization.sweep()
    theirs = organization.networks[OTHER].vpc
    before = organization.findings(OTHER)
    record = attribute_change(theirs) | {"recipientAccountId": ONE}
    record["requestParameters"] |= {"enableDnsHostnames": {"value": False}}
    own = attribute_change(organization.stage.network.vpc) | {
        "eventID": "tag",
        "eventName": "CreateTags",
        "recipientAccountId": ONE,
    }
    result = organization.run(record, own)
    assert (result.failed, result.heartbeat_delays) == ((), ())
    assert organization.of(Scope(ONE, REGION, theirs), FindingStatus.OPEN) == []
    after = organization.findings(OTHER)
    assert [(it.id, it.verdict) for it in after] == [(it.id, it.verdict) for it in before]
    assert [it.opened_by.cause for it in after] == [None] * len(before)  # at most a candidate


@pytest.mark.parametrize("detail", [{}, [], "x", {"eventSource": "ec2.amazonaws.com"}])
def test_no_other_account_fills_the_table_of_rejected_changes(
    organization: Organization, detail: object
) -> None:
    """What it sends is dropped and counted; of a member it is kept, fails and raises an alarm."""
    message = json.loads(event({})) | {"detail": detail}
    result = organization.run(json.dumps(message | {"account": "333333333333"}))
    assert (result.unmonitored, result.rejected, result.failed) == (1, 0, ())
    assert organization.stage.refused() == {}
    result = organization.run(json.dumps(message | {"account": ONE}))
    assert (result.unmonitored, result.rejected, result.failed) == (0, 1, ("m-1",))
    assert organization.stage.refused()


def test_a_member_that_denies_access_is_unknown_and_stops_no_other(
    organization: Organization,
) -> None:
    """Its scope's rules answer unknown and its change comes again; the others are evaluated."""
    organization.denied.add(ONE)
    records = [organization.open_group(ONE), organization.open_group(OTHER)]
    records[0]["requestParameters"]["vpcId"] = organization.networks[ONE].scope.subject
    assert organization.evaluate(*records) == ("m-1",)
    assert organization.findings(ONE) == []
    assert organization.findings(OTHER)


def test_a_sweep_evaluates_every_account(organization: Organization) -> None:
    """Each VPC of each account, under its own account."""
    result = organization.sweep()
    accounts = {each.scope.account for each in result.results}
    assert accounts == {ACCOUNT, ONE, OTHER}
    for account, network in organization.networks.items():
        mine = {it.scope.subject for it in result.results if it.scope.account == account}
        theirs = {each["VpcId"] for each in network.ec2.describe_vpcs()["Vpcs"]}
        assert mine == theirs


def test_a_sweep_reports_what_it_may_no_longer_read(organization: Organization) -> None:
    """What was found before stays open, and each rule that cannot see says unknown."""
    organization.open_group(ONE)
    organization.sweep()
    before = organization.findings(ONE)
    organization.denied.add(ONE)
    organization.members = assume_member_roles(HOME, ACCESS, "aws")
    result = organization.sweep()
    assert [region.account for region in result.failed_regions] == [ONE]
    assert {it.id for it in organization.findings(ONE)} == {it.id for it in before}
    unknown = organization.findings(ONE, FindingStatus.UNKNOWN)
    assert "endpoint-security-group-open" in {it.rule for it in unknown}
    assert all("AccessDenied" in it.verdict.evidence[0].text for it in unknown)
    assert organization.findings(OTHER, FindingStatus.UNKNOWN) == []


def test_a_member_that_does_not_answer_is_named_and_the_others_are_swept(
    organization: Organization,
) -> None:
    """So that Lambda tries again, and the log says whom."""

    def throttled(**_: Any) -> None:
        error: Any = {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}
        raise ClientError(error, "DescribeVpcs")

    organization.members[ONE].ec2.meta.events.register("before-call.ec2.DescribeVpcs", throttled)
    result = organization.sweep()
    assert [region.account for region in result.failed_regions] == [ONE]
    assert {each.scope.account for each in result.results} == {ACCOUNT, OTHER}


@pytest.mark.parametrize("operation", ["DescribeVpcs", "DescribeSubnets"])
def test_a_member_that_is_throttled_is_not_clean(
    organization: Organization, operation: str
) -> None:
    """Whether nothing is listed or nothing can be read: one finding says so until it can."""

    def throttled(**_: Any) -> None:
        error: Any = {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}
        raise ClientError(error, operation)

    organization.sweep()
    events, event = organization.members[ONE].ec2.meta.events, f"before-call.ec2.{operation}"
    events.register(event, throttled)
    for _ in range(2):
        assert [it.account for it in organization.sweep().failed_regions] == [ONE]
        (finding,) = organization.unread(ONE)
    assert finding.version == 1
    assert "RequestLimitExceeded" in finding.verdict.evidence[0].text
    assert operation in finding.verdict.evidence[0].text
    events.unregister(event, throttled)
    assert not organization.sweep().failed_regions
    assert organization.unread(ONE) == []
    assert organization.unread(OTHER) == []


def test_an_endpoint_service_of_a_member_that_denies_access_is_unknown(
    organization: Organization,
) -> None:
    """By a change, which comes again, and by a sweep; what was found is open once more after."""
    scope, record = organization.open_service(ONE)
    assert organization.evaluate(record) == ()
    (before,) = organization.of(scope, FindingStatus.OPEN)
    unread = organization.of(
        scope, FindingStatus.UNKNOWN
    )  # connections, which moto does not return
    assert before.rule == "endpoint-service-allows-untrusted-principal"
    organization.denied.add(ONE)
    organization.members = assume_member_roles(HOME, ACCESS, "aws")
    evaluate: Callable[[], Any] = lambda: organization.evaluate(record)  # noqa: E731
    sweep: Callable[[], Any] = lambda: tuple(organization.sweep().failed)  # noqa: E731
    for run, failed in ((evaluate, ("m-1",)), (sweep, ())):
        assert run() == failed
        unknown = organization.of(scope, FindingStatus.UNKNOWN)
        assert {it.rule for it in unknown} == {rule.id for rule in SERVICE_RULES}
        assert before.id in {it.id for it in unknown}
        assert all("AccessDenied" in it.verdict.evidence[0].text for it in unknown)
    organization.denied.clear()
    assert not organization.sweep().failed
    assert [it.id for it in organization.of(scope, FindingStatus.OPEN)] == [before.id]
    after = organization.of(scope, FindingStatus.UNKNOWN)
    assert {it.id for it in after} == {it.id for it in unread}


def test_an_account_whose_role_cannot_be_assumed_is_not_swept(organization: Organization) -> None:
    """The sweep fails with its name, after the others; one finding says what and since when."""
    organization.lose(ONE)
    result = organization.sweep()
    assert result.count_metrics()["AccountsNotSwept"] == 1
    assert {each.scope.account for each in result.results} >= {ACCOUNT, OTHER}
    with pytest.raises(SweepIncompleteError, match=f"{ONE}/{REGION}: AccessDenied: sts:AssumeRole"):
        result.require_complete()
    (finding,) = organization.unread(ONE)
    assert (finding.rule, finding.resource) == ("account-region-not-readable", ONE)
    assert format_iso(finding.opened_at) in finding.verdict.summary
    assert "VPCs and endpoint services" in finding.verdict.summary
    assert organization.unread(OTHER) == organization.unread(ACCOUNT) == []


def test_a_second_failing_sweep_adds_nothing(organization: Organization) -> None:
    """The finding keeps its version, and with it the time since when nothing was seen."""
    organization.lose(ONE)
    organization.sweep()
    before = organization.unread(ONE)
    assert organization.sweep().failed_regions
    assert organization.unread(ONE) == before


def test_an_account_that_can_be_read_again_has_no_such_finding(organization: Organization) -> None:
    """It is resolved once, and its scope leaves the index of what is swept."""
    organization.lose(ONE)
    organization.sweep()
    organization.lose()
    assert not organization.sweep().failed_regions
    (finding,) = organization.unread(ONE, FindingStatus.RESOLVED)
    assert finding.version == 2
    known = organization.stage.store.load_region_records(Region(ONE, REGION), {})
    assert Region(ONE, REGION).scope not in {each.scope for each in known}
    assert organization.networks[ONE].vpc in {each.scope.subject for each in known}


def test_a_change_of_an_account_that_cannot_be_read_comes_again(organization: Organization) -> None:
    """It names no VPC, and its look-up is denied: it is evaluated when the role is back."""
    record = organization.open_group(ONE)
    organization.lose(ONE)
    assert organization.evaluate(record) == ("m-1",)
    assert organization.unread(ONE)
    organization.lose()
    assert organization.evaluate(record) == ()
    (found,) = (
        it for it in organization.findings(ONE) if it.rule == "endpoint-security-group-open"
    )
    assert str(found.opened_by.actor).endswith("/bob")


def test_a_change_whose_look_up_alone_is_denied_comes_again(organization: Organization) -> None:
    """The VPCs are listed and evaluated, but nothing says which of them the change concerns."""
    record = organization.open_group(ONE)
    organization.deny(ONE, "DescribeSecurityGroups")
    assert organization.evaluate(record) == ("m-1",)
    assert organization.unread(ONE) == []


VPCS, SERVICES = "DescribeVpcs", "DescribeVpcEndpointServiceConfigurations"


@pytest.mark.parametrize("account", [ACCOUNT, ONE])
@pytest.mark.parametrize(
    ("denied", "named"), [("*", {VPCS, SERVICES}), (VPCS, {VPCS}), (SERVICES, {SERVICES})]
)
def test_a_listing_that_is_denied_is_named(
    organization: Organization, account: str, denied: str, named: set[str]
) -> None:
    """Be it one or all, in the monitor's own account or in a member."""
    allow = organization.deny(account, denied)
    assert [region.account for region in organization.sweep().failed_regions] == [account]
    (finding,) = organization.unread(account)
    assert {fact.record["operation"] for fact in finding.verdict.evidence} == named
    allow()
    assert not organization.sweep().failed_regions
    assert organization.unread(account) == []
