"""The findings that a change opens carry a command that is proven, and it does what it says."""

import json
import re
from typing import Any

import pytest

from monitor_stage import Stage
from posture.alerts.message import compose
from posture.alerts.rule_texts import load_rule_texts
from posture.edits.command_line import parse_command
from posture.edits.parameters import build_parameters
from posture.model.finding import Finding
from posture.remedies.prove import Prover


def run(stage: Stage, command: str) -> None:
    """Run the AWS CLI calls of a command in the emulated region."""
    created: dict[str, str] = {}
    for edit in parse_command(command):
        operation = re.sub(r"(?<!^)(?=[A-Z])", "_", type(edit).__name__).lower()
        text = json.dumps(build_parameters(edit), default=str)
        for symbol, real in created.items():
            text = text.replace(symbol, real)
        answer: Any = getattr(stage.network.ec2, operation)(**json.loads(text))
        if "GroupId" in answer:
            created["sg-new-1"] = answer["GroupId"]
        if "VpcEndpoint" in answer:
            created["vpce-new-1"] = answer["VpcEndpoint"]["VpcEndpointId"]


def open_findings(stage: Stage) -> dict[str, Finding]:
    """Return the open findings by id."""
    return {each.id: each for each in stage.findings()}


def test_a_verified_command_resolves_its_finding_and_opens_none(stage: Stage) -> None:
    """It is run in the emulator, and the region is evaluated again."""
    stage.open_group()
    stage.evaluate()
    (finding,) = stage.about(stage.network.group)
    remedy = finding.verdict.remediation
    assert remedy is not None
    assert remedy.verified.startswith("resolves this")
    before = open_findings(stage)
    run(stage, remedy.command)
    stage.sweep()
    after = open_findings(stage)
    assert finding.id not in after
    assert after.keys() <= before.keys()


def test_an_alert_shows_the_command_and_what_was_verified(stage: Stage) -> None:
    """In its text, and in the JSON for programs."""
    stage.open_group()
    (result,) = stage.evaluate().results
    composed = compose(
        result.transitions,
        commit="c#1",
        parts=1,
        observed_at=stage.clock.time,
        rules=load_rule_texts(),
    )
    opened = [it for it in json.loads(composed.json)["findings"] if it["step"] == "opened"]
    (remedy,) = (it["remediation"] for it in opened if it["rule"] == "endpoint-security-group-open")
    assert remedy["command"].startswith("aws ec2 ")
    assert "opens nothing" in remedy["verified"]
    assert f"Verified: {remedy['verified']}" in composed.text


def test_every_command_that_is_recorded_is_verified(stage: Stage) -> None:
    """A finding without a proven command has a sentence only."""
    stage.sweep()
    remedies = [each.verdict.remediation for each in stage.findings()]
    assert any(each and each.command for each in remedies)
    for each in remedies:
        assert each is not None
        assert bool(each.command) == bool(each.verified)


def test_a_finding_that_stays_is_not_proven_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only findings that open or change take the time."""
    stage.sweep()
    proven: list[str] = []
    prove = Prover.prove

    def counting(self: Prover, verdict: Any) -> Any:
        proven.append(verdict.rule)
        return prove(self, verdict)

    monkeypatch.setattr(Prover, "prove", counting)
    stage.open_group()
    stage.evaluate()
    assert "endpoint-security-group-open" in proven
    opened = {each.rule for each in stage.about(stage.network.group)}
    assert set(proven) <= opened


def test_an_error_in_a_proof_is_recorded_as_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finding is reported all the same, without a command."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("posture.remedies.prove.apply_edits", fail)
    stage.open_group()
    assert stage.evaluate().failed == ()
    (finding,) = stage.about(stage.network.group)
    remedy = finding.verdict.remediation
    assert remedy is not None
    assert not remedy.command
    assert "internal error (ZeroDivisionError" in remedy.text
