"""What holds for every series of evaluations."""

from hypothesis import given
from hypothesis import strategies as st

from finding_builders import SCOPE, at
from posture.lifecycle.bounds import bound_verdict, is_truncated
from posture.lifecycle.diff import BAD, apply_transitions, find_transitions, is_bad
from posture.model.finding import Step
from posture.model.verdict import Evidence, Remediation, Severity, Status, Verdict

text = st.text(max_size=12)
verdicts = st.builds(
    Verdict,
    rule=st.sampled_from(["a", "b", "c"]),
    resource=st.sampled_from(["subnet-1", "subnet-2", "vpce-1", SCOPE.subject]),
    status=st.sampled_from(Status),
    severity=st.sampled_from(Severity),
    summary=st.sampled_from(["one", "two"]),
)
evaluations = st.lists(st.lists(verdicts, max_size=8), min_size=1, max_size=6)


@given(evaluations)
def test_bad_findings_are_those_with_bad_verdicts(series: list[list[Verdict]]) -> None:
    """After each evaluation the bad findings are its bad verdicts, and those of blind rules."""
    stored = apply_transitions({}, ())
    for minute, answers in enumerate(series):
        before = {(each.rule, each.resource) for each in stored.values() if is_bad(each)}
        stored = apply_transitions(
            stored, find_transitions(SCOPE, stored, answers, observed_at=at(minute))
        )
        judged = {(each.rule, each.resource) for each in answers}
        failing = {(each.rule, each.resource) for each in answers if each.status in BAD}
        worst = {
            (each.rule, each.resource): each.status
            for each in answers
            if each.status is Status.FAIL
        }
        blind = {
            each.rule
            for each in answers
            if each.resource == SCOPE.subject
            and each.status is Status.UNKNOWN
            and (each.rule, each.resource) not in worst
        }
        kept = {name for name in before - judged if name[0] in blind}
        assert failing | kept == {
            (each.rule, each.resource) for each in stored.values() if is_bad(each)
        }


@given(evaluations)
def test_the_same_evaluation_twice_changes_nothing(series: list[list[Verdict]]) -> None:
    """Applied once, an evaluation has no more transitions."""
    stored = apply_transitions({}, ())
    for minute, answers in enumerate(series):
        stored = apply_transitions(
            stored, find_transitions(SCOPE, stored, answers, observed_at=at(minute))
        )
        assert find_transitions(SCOPE, stored, answers, observed_at=at(minute + 0.5)) == ()


@given(evaluations)
def test_versions_never_skip(series: list[list[Verdict]]) -> None:
    """Each transition is the next version, and each life begins by opening."""
    stored = apply_transitions({}, ())
    for minute, answers in enumerate(series):
        for step in find_transitions(SCOPE, stored, answers, observed_at=at(minute)):
            before = stored.get(step.finding.id)
            assert (before.version if before else 0) + 1 == step.finding.version
            assert (before is None or not is_bad(before)) == (step.step is Step.OPENED)
            stored = apply_transitions(stored, [step])


@given(
    st.builds(
        Verdict,
        rule=st.just("a"),
        resource=text,
        status=st.sampled_from(Status),
        severity=st.sampled_from(Severity),
        summary=st.one_of(text, st.just("\ud800" * 700)),
        evidence=st.lists(
            st.builds(
                Evidence, text, st.dictionaries(text, text | st.just("€" * 900), max_size=30)
            ),
            max_size=60,
        ).map(tuple),
        remediation=st.builds(Remediation, text, text | st.just("x" * 5_000), text),
        concerns=st.integers(0, 900).map(lambda many: frozenset(map(str, range(many)))),
    )
)
def test_every_finding_fits(verdict: Verdict) -> None:
    """Verdicts are truncated once, and say how many facts are left out."""
    small = bound_verdict(verdict)
    facts = [fact.text + "".join(map("".join, fact.record.items())) for fact in small.evidence]
    assert len(facts) <= 40
    assert sum(len(fact.encode()) for fact in facts) <= 24_000
    assert len(small.concerns) <= 500
    assert len(verdict.evidence) == len(small.evidence) or is_truncated(small)
    assert small == bound_verdict(small)


@given(st.permutations(range(90)))
def test_what_is_left_out_does_not_hang_on_the_order(order: list[int]) -> None:
    """The same facts in another order leave the same ones in."""
    many = Verdict(
        "a",
        "vpce-1",
        Status.FAIL,
        Severity.LOW,
        "Many.",
        tuple(Evidence(f"Fact {number}.") for number in order),
    )
    ordered = Verdict(
        "a",
        "vpce-1",
        Status.FAIL,
        Severity.LOW,
        "Many.",
        tuple(Evidence(f"Fact {number}.") for number in range(90)),
    )
    assert bound_verdict(ordered) == bound_verdict(many)
