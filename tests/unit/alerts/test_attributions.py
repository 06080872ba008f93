"""Who opened and who resolved a finding: named where it is certain, never where it is not."""

from dataclasses import replace

import pytest

from finding_builders import at, opened, verdict
from posture.alerts.attributions import (
    build_attribution_record,
    describe_attribution,
    name_attribution,
)
from posture.alerts.message import compose
from posture.model.finding import (
    MAX_CANDIDATES,
    REPAIRED,
    UNKNOWN_CAUSE,
    Attribution,
    Cause,
    CauseKind,
    FindingStatus,
    Step,
    Transition,
)

ALICE, BOB = (f"arn:aws:iam::111122223333:user/{name}" for name in ("alice", "bob"))


def call(actor: str, event_id: str = "e-1", name: str = "DeleteRoute") -> Cause:
    """Return a call at noon."""
    return Cause(event_id, name, actor, at(0), "198.51.100.7", "aws-cli/2")


@pytest.mark.parametrize(
    ("attribution", "expected", "actor"),
    [
        (Attribution(call(ALICE)), ALICE, ALICE),
        (Attribution(candidates=(call(ALICE), call(BOB))), f"one of: {ALICE}; {BOB}", None),
        (Attribution(candidates=(call(ALICE), call(ALICE, "e-2"))), ALICE, ALICE),
        (
            Attribution(candidates=tuple(call(ALICE, str(n)) for n in range(MAX_CANDIDATES))),
            f"one of: {ALICE}",
            None,
        ),
        (UNKNOWN_CAUSE, "unknown", None),
        (
            Attribution(Cause("w-1", "WaiverExpired", "", at(0), kind=CauseKind.CLOCK)),
            "the end of waiver w-1",
            None,
        ),
        (
            Attribution(Cause("", "GracePeriodEnded", "", at(0), kind=CauseKind.CLOCK)),
            "the end of a grace period",
            None,
        ),
        (
            Attribution(Cause("7", "PutBaseline", "", at(0), kind=CauseKind.BASELINE)),
            "baseline 7",
            None,
        ),
        (
            Attribution(
                candidates=(
                    call(ALICE),
                    Cause("a", "RulesUpgraded", "", at(0), kind=CauseKind.UPGRADE),
                )
            ),
            f"one of: {ALICE}; an upgrade of the monitor's rules",
            None,
        ),
    ],
)
def test_who_is_named(attribution: Attribution, expected: str, actor: str | None) -> None:
    """An actor stands alone only where no other caller can have caused it."""
    assert name_attribution(attribution) == expected
    record = build_attribution_record(attribution)
    assert (record["text"], record["actor"]) == (expected, actor)
    assert len(record["candidates"]) == len(attribution.candidates)


def test_a_description_says_how_and_when() -> None:
    """The call and its time, with what else the event says of the caller."""
    cause = replace(call(ALICE), identity="source identity carol")
    described = describe_attribution(Attribution(cause))
    assert (
        described == f"{ALICE} (source identity carol) with DeleteRoute at 2026-01-31 12:00:00 UTC"
    )


def test_a_resolved_alert_says_who_had_opened_and_who_repaired() -> None:
    """Both in the past tense, with the call of each."""
    (step,) = opened(verdict())
    by_bob = Attribution(call(BOB, "e-9", "CreateRoute"))
    finding = replace(
        step.finding,
        status=FindingStatus.RESOLVED,
        opened_by=Attribution(candidates=(call(ALICE), call(BOB))),
        resolved_by=by_bob,
        caused_by=by_bob,
    )
    step = Transition(Step.RESOLVED, finding, REPAIRED)
    text = compose([step], commit="c#1", parts=1, observed_at=at(5), rules={}).text
    assert f"It had been opened by one of: {ALICE} with DeleteRoute at" in text
    assert f"It was repaired by {BOB} with CreateRoute at" in text
