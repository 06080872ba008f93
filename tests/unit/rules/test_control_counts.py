"""Counting the scopes that pass, fail, or were not evaluated for each control."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network_builders import build_snapshot
from posture.model.baseline import Baseline
from posture.model.finding import FindingStatus
from posture.model.network import Facet
from posture.model.scope import Scope
from posture.model.verdict import Status
from posture.rules.control_counts import (
    CONTROLS,
    Check,
    ControlCount,
    ControlState,
    ControlTally,
    ScopeOutcome,
    Shortcoming,
    build_control_record,
    list_passed_checks,
)
from posture.rules.engine import evaluate_vpc
from posture.rules.rule_catalogue import ACCESS_RULES, SERVICE_RULES, VPC_RULES

REQUIRED = "required-service-without-endpoint"
VPC = Scope("111122223333", "eu-west-1", "vpc-1")
OTHER = Scope("111122223333", "eu-west-1", "vpc-2")
SERVICE = Scope("111122223333", "eu-west-1", "vpce-svc-1")
REGION = Scope("111122223333", "eu-west-1", "eu-west-1")
SSM, ECR = "com.amazonaws.eu-west-1.ssm", "com.amazonaws.eu-west-1.ecr.api"
SECRETS = "com.amazonaws.eu-west-1.secretsmanager"
OPEN, UNKNOWN, WAIVED = FindingStatus.OPEN, FindingStatus.UNKNOWN, FindingStatus.WAIVED

Added = tuple[Scope, Iterable[Shortcoming], frozenset[Check] | None]


def _count(*scopes: Added) -> dict[str, ControlCount]:
    tally = ControlTally()
    for scope in scopes:
        tally.add(*scope)
    return {str(each.control): each for each in tally.count()}


def _bad(resource: str, status: FindingStatus = OPEN, rule: str = REQUIRED) -> Shortcoming:
    return Shortcoming(rule, resource, status)


def _passed(*checks: str) -> frozenset[Check]:
    return frozenset(map(Check.parse, checks))


def test_a_missing_endpoint_fails_the_control_of_its_service_only() -> None:
    """Secrets Manager is none of Security Hub's services; SC-7 is asked of every service."""
    counts = _count((VPC, [_bad(SECRETS)], _passed(REQUIRED, f"{REQUIRED}/ssm")))
    assert counts["Security Hub EC2.57"].state is ControlState.PASS
    assert counts["Security Hub EC2.55"].state is ControlState.NOT_EVALUATED
    assert counts["NIST SP 800-53 r5 SC-7"].state is ControlState.FAIL
    assert counts["NIST SP 800-53 r5 AC-21"].state is ControlState.PASS


def test_a_service_that_is_not_required_is_out_of_scope() -> None:
    """Its control is not passed: whether it has an endpoint was not asked."""
    count = _count((VPC, [], _passed()))["Security Hub EC2.55"]
    assert count.scopes == {ScopeOutcome.OUT_OF_SCOPE: 1}
    assert count.state is ControlState.NOT_EVALUATED


def test_one_scope_that_fails_fails_the_control() -> None:
    """The others are counted beside it."""
    count = _count((VPC, [_bad(ECR)], _passed()), (OTHER, [], _passed(f"{REQUIRED}/ecr.api")))
    assert count["Security Hub EC2.55"].state is ControlState.FAIL
    record = build_control_record(count["Security Hub EC2.55"])
    assert (record["passed"], record["failed"], record["not_evaluated"]) == (1, 1, 0)
    assert record["rules"] == [f"{REQUIRED}/ecr.api"]
    assert record["source"].endswith("ec2-controls.html#ec2-55")


def test_what_could_not_be_read_is_never_a_pass() -> None:
    """One unknown scope keeps the control from passing, however many pass."""
    passing = _passed(REQUIRED, f"{REQUIRED}/ssm")
    count = _count((VPC, [_bad("vpc-1", UNKNOWN)], _passed()), (OTHER, [], passing))
    control = count["Security Hub EC2.57"]
    assert control.state is ControlState.NOT_EVALUATED
    assert control.scopes == {ScopeOutcome.UNKNOWN: 1, ScopeOutcome.PASSED: 1}


def test_a_service_that_could_not_be_decided_leaves_others_decided() -> None:
    """The finding names its service."""
    count = _count((VPC, [_bad(SSM, UNKNOWN)], _passed(f"{REQUIRED}/ecr.api")))
    assert count["Security Hub EC2.57"].state is ControlState.NOT_EVALUATED
    assert count["Security Hub EC2.55"].state is ControlState.PASS


def test_a_waived_finding_is_neither_a_pass_nor_a_failure() -> None:
    """It failed, and the risk is accepted for a time."""
    count = _count((VPC, [_bad(SSM, WAIVED)], _passed(REQUIRED, f"{REQUIRED}/ssm")))
    assert count["Security Hub EC2.57"].state is ControlState.WAIVED
    record = build_control_record(count["Security Hub EC2.57"])
    assert (record["passed"], record["failed"], record["waived"]) == (0, 0, 1)


def test_a_region_that_cannot_be_read_leaves_every_control_undecided() -> None:
    """Its VPCs are not known."""
    lost = _bad("111122223333", UNKNOWN, "account-region-not-readable")
    counts = _count((VPC, [], _passed(f"{REQUIRED}/ssm")), (REGION, [lost], None))
    assert {each.scopes[ScopeOutcome.UNKNOWN] for each in counts.values()} == {1}
    assert counts["Security Hub EC2.57"].state is ControlState.NOT_EVALUATED


def test_a_region_whose_scopes_were_evaluated_can_be_read() -> None:
    """It counts once, without a finding or record of its own; not before passes are recorded."""
    monitored = "NIST SP 800-53 r5 CA-7"
    counts = _count((VPC, [], _passed()), (SERVICE, [], _passed()))
    assert counts[monitored].scopes == {ScopeOutcome.PASSED: 1}
    assert counts[monitored].state is ControlState.PASS
    assert _count((VPC, [], _passed()), (OTHER, [], None))[monitored].scopes == {
        ScopeOutcome.UNRECORDED: 1
    }
    lost = _bad("111122223333", UNKNOWN, "account-region-not-readable")
    assert _count((VPC, [], _passed()), (REGION, [lost], None))[monitored].scopes == {
        ScopeOutcome.UNKNOWN: 1
    }


def test_passes_that_were_not_recorded_are_not_assumed() -> None:
    """A record of a former version, or a past time, says only what failed."""
    counts = _count((VPC, [_bad(SSM)], None))
    assert counts["Security Hub EC2.57"].state is ControlState.FAIL
    assert counts["Security Hub EC2.55"].scopes == {ScopeOutcome.UNRECORDED: 1}
    assert counts["Security Hub EC2.55"].state is ControlState.NOT_EVALUATED


def test_an_endpoint_service_concerns_the_controls_of_its_rules() -> None:
    """It is not asked for endpoints."""
    rule = "endpoint-service-allows-untrusted-principal"
    counts = _count((SERVICE, [_bad("vpce-svc-1", rule=rule)], _passed()))
    assert counts["NIST SP 800-53 r5 AC-6"].state is ControlState.FAIL
    assert not counts["Security Hub EC2.57"].scopes


def test_resolved_findings_count_for_nothing() -> None:
    """What was resolved passes now."""
    counts = _count((VPC, [_bad(SSM, FindingStatus.RESOLVED)], _passed(f"{REQUIRED}/ssm")))
    assert counts["Security Hub EC2.57"].state is ControlState.PASS


def test_an_unknown_rule_is_ignored() -> None:
    """A finding of a rule that was removed concerns no control."""
    assert not any(
        it.scopes.get(ScopeOutcome.FAILED)
        for it in _count((VPC, [_bad("x", rule="gone")], _passed())).values()
    )


@pytest.mark.parametrize("facet", list(Facet))
def test_the_verdicts_of_a_scan_can_be_counted(facet: Facet) -> None:
    """A denied call leaves no control passed by the rules that need it alone."""
    verdicts = evaluate_vpc(build_snapshot(unreadable={facet: "AccessDenied"}), Baseline())
    unknown = [it for it in verdicts if it.status is Status.UNKNOWN]
    bad = [Shortcoming(it.rule, it.resource, UNKNOWN) for it in unknown]
    counts = _count((VPC, bad, list_passed_checks(verdicts)))
    affected = {it.rule for it in unknown}
    for count in counts.values():
        if affected & {each.rule for each in count.checks}:
            assert count.state is ControlState.NOT_EVALUATED


CHECKS = sorted({each for checks in CONTROLS.values() for each in checks})
STATUSES = st.sampled_from([OPEN, UNKNOWN, WAIVED])
SCOPES = st.sampled_from([VPC, OTHER, SERVICE])
BAD = st.lists(
    st.builds(
        lambda check, status: Shortcoming(check.rule, check.service or "vpc-1", status),
        st.sampled_from(CHECKS),
        STATUSES,
    ),
    max_size=4,
)


@given(st.lists(st.tuples(SCOPES, BAD, st.none() | st.frozensets(st.sampled_from(CHECKS)))))
def test_every_scope_counts_once_for_each_control_that_concerns_it(scopes: list[Added]) -> None:
    """By its kind; what passes has neither a gap nor a failure."""
    kinds = {True: {it.id for it in VPC_RULES}, False: {it.id for it in SERVICE_RULES}}
    for count in _count(*scopes).values():
        rules = {each.rule for each in count.checks}
        concerned = [it for it, _, _ in scopes if rules & kinds[bool(it.vpc_id)]]
        regions = bool(scopes) and bool(rules & {it.id for it in ACCESS_RULES})
        assert sum(count.scopes.values()) == len(concerned) + regions
        if count.state is ControlState.PASS:
            assert set(count.scopes) <= {ScopeOutcome.PASSED, ScopeOutcome.OUT_OF_SCOPE}
