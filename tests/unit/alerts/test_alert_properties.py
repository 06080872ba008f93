"""Properties of every alert, whatever names the resources have."""

import json
import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_schemas import validate_alert, validate_notification
from finding_builders import SCOPE, at, find_caused_transitions
from posture.alerts.digest import compose_digests
from posture.alerts.formatting import UNSAFE
from posture.alerts.message import compose
from posture.model.change import Actor, Change
from posture.model.scope import Region
from posture.model.verdict import Evidence, Remediation, Severity, Status, Verdict

hostile = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "</script>",
            "<!channel>",
            "a\r\nBcc: b",
            "\u202eevil",
            "\x00\x1b[31m",
            "\ud800",
            "€" * 999,
        ]
    ),
)
verdicts = st.builds(
    Verdict,
    rule=st.sampled_from(["route-missing", "no-policy"]),
    resource=hostile,
    status=st.sampled_from([Status.FAIL, Status.UNKNOWN]),
    severity=st.sampled_from(Severity),
    summary=hostile,
    evidence=st.lists(
        st.builds(Evidence, hostile, st.dictionaries(hostile, hostile, max_size=3)), max_size=4
    ).map(tuple),
    remediation=st.none() | st.builds(Remediation, hostile, hostile, hostile),
)
changes = st.builds(
    Change,
    event_id=hostile,
    event_name=hostile,
    event_source=hostile,
    time=st.just(at(-1)),
    region=st.just(Region(SCOPE.account, SCOPE.region)),
    actor=st.builds(Actor, arn=hostile, account=hostile, kind=hostile),
    source_ip=hostile,
    user_agent=hostile,
    vpc_ids=st.just(frozenset()),
    service_ids=st.just(frozenset()),
    resource_ids=st.frozensets(hostile, max_size=2),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(verdicts, min_size=1, max_size=6),
    st.lists(changes, max_size=2),
    st.integers(min_value=1, max_value=40),
)
def test_every_message_is_accepted_by_sns(
    answers: list[Verdict], causes: list[Change], times: int
) -> None:
    """Within 256 KiB, valid JSON, a clean subject, text without a character that can mislead."""
    many = [
        Verdict(
            **{
                **{name: getattr(each, name) for name in Verdict.__slots__},
                "resource": f"{number}-{each.resource}",
                "evidence": each.evidence * number,
            }
        )
        for each in answers
        for number in range(times)
    ][:49]
    steps = find_caused_transitions(SCOPE, {}, many, observed_at=at(0), changes=causes)
    message = compose(
        steps,
        commit="2026-01-31T12:00:00.000000Z#1",
        parts=1,
        observed_at=at(0),
        rules={},
        chat=True,
    )
    assert message.size <= 262_144
    assert message.attributes["severity"]["StringValue"].upper() in message.subject
    validate_alert(json.loads(message.json))
    validate_notification(json.loads(json.loads(message.body)["https"]))
    for digest in compose_digests(steps, {}, chat=True):
        assert digest.size <= 262_144
        validate_alert(json.loads(digest.json))
        validate_notification(json.loads(json.loads(digest.body)["https"]))
    assert 0 < len(message.subject) < 100
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert len(message.attributes) <= 10
    assert not [c for c in message.text if c != "\n" and unicodedata.category(c) in UNSAFE]
    document = json.loads(json.loads(message.body)["default"])
    assert len(document["findings"]) + document["omitted"] == len(steps)
    assert sum(document["counts"].values()) == len(steps)
    assert message.text.count("\n  Finding f-") == len(document["findings"])


def test_findings_beyond_the_limit_are_counted() -> None:
    """The most severe are shown in full; the text has the number of the others and the command."""
    facts = tuple(Evidence("€" * 300) for _ in range(20))
    many = [
        Verdict("r", f"subnet-{n:02}", Status.FAIL, severity, "Bad.", facts)
        for n in range(20)
        for severity in (Severity.LOW, Severity.CRITICAL)
    ]
    answers = [*many[1::2], *(Verdict("r2", *_rest(each)) for each in many[::2])]
    steps = find_caused_transitions(SCOPE, {}, answers, observed_at=at(0))
    message = compose(
        steps, commit="2026-01-31T12:00:00.000000Z#1", parts=1, observed_at=at(0), rules={}
    )
    document = json.loads(message.json)
    assert document["omitted"] > 0
    assert {each["severity"] for each in document["findings"]} == {"critical"}
    assert f"{document['omitted']} findings not shown here. List all findings with" in message.text
    command = f"posture findings --scope {SCOPE} --stack posture --region {SCOPE.region}"
    assert command in message.text
    assert "40 findings opened" in message.text


def _rest(each: Verdict) -> tuple[str, Status, Severity, str, tuple[Evidence, ...]]:
    return each.resource, each.status, each.severity, each.summary, each.evidence
