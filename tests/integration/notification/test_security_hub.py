"""Findings in Security Hub are updated and archived, and none is lost."""

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from finding_builders import SCOPE, at, verdict
from notify_stage import Stage
from posture.alerts.rule_texts import load_rule_texts
from posture.lifecycle.diff import find_transitions
from posture.model.scope import Region
from posture.model.verdict import Severity
from posture.notification.security_hub import SecurityHub
from posture.store.items import build_items, with_commit

HOME = Region("123456789012", "eu-west-1")  # the emulator's account


def records(*minutes: float, count: int = 1) -> list[dict[str, Any]]:
    """Build stream records of findings, one evaluation after the other."""
    found: list[dict[str, Any]] = []
    for minute in minutes:
        bad = [
            verdict(resource=f"subnet-{n}", summary=f"Minute {minute}.", severity=Severity.HIGH)
            for n in range(count)
        ]
        steps = find_transitions(SCOPE, {}, bad, observed_at=at(minute))
        images = [with_commit(build_items(step).finding, "c#1") for step in steps]
        found += [
            {"dynamodb": {"SequenceNumber": f"{minute}-{n}", "NewImage": image}}
            for n, image in enumerate(images)
        ]
    return found


class RejectingHub:
    """A Security Hub that rejects everything, or one finding of a batch."""

    def __init__(self, refused: str | None = None) -> None:
        self.refused = refused
        self.batches: list[int] = []

    def batch_import_findings(self, Findings: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        """Answer as Security Hub does."""
        self.batches.append(len(Findings))
        if self.refused is None:
            raise ClientError({"Error": {"Code": "InvalidAccess", "Message": "off"}}, "Batch")
        failed = [{"Id": it["Id"]} for it in Findings if self.refused in str(it["Resources"])]
        return {"FailedFindings": failed}


def security_hub(client: Any) -> SecurityHub:
    """Build the port to a Security Hub client."""
    return SecurityHub(client, HOME, load_rule_texts())


@pytest.mark.usefixtures("stage")
def test_findings_are_imported_and_archived(stage: Stage) -> None:
    """One finding through its life cycle, under the account's default product."""
    client = boto3.client("securityhub")
    client.enable_security_hub()
    stage.evaluate(0, verdict())
    assert security_hub(client).import_findings(stage.records()) == []
    [found] = client.get_findings()["Findings"]
    assert (found["RecordState"], found["Compliance"]["Status"]) == ("ACTIVE", "FAILED")
    assert found["AwsAccountId"] == HOME.account
    assert SCOPE.account in found["Resources"][0]["Id"]
    stage.evaluate(5)
    assert security_hub(client).import_findings(stage.records()) == []
    [found] = client.get_findings()["Findings"]
    assert (found["RecordState"], found["Compliance"]["Status"]) == ("ARCHIVED", "PASSED")


def test_a_batch_imports_the_latest_state_of_each_finding() -> None:
    """At most a hundred findings in one call."""
    client = RejectingHub("none")
    assert security_hub(client).import_findings(records(0, 1, count=150)) == []
    assert client.batches == [100, 50]


def test_a_rejected_finding_is_retried() -> None:
    """With all records of that finding, and of no other."""
    client = RejectingHub("subnet/subnet-1")
    assert security_hub(client).import_findings(records(0, 1, count=3)) == ["0-1", "1-1"]


def test_an_unavailable_security_hub_loses_nothing(stage: Stage) -> None:
    """The batch is retried, and the alert is sent only once."""
    stage.evaluate(0, verdict())
    answer = stage.notify(stage.records(), security_hub=security_hub(RejectingHub()))
    assert answer["batchItemFailures"]
    assert len(stage.inbox()) == 1
    again = stage.notify(stage.records(), security_hub=security_hub(RejectingHub("none")))
    assert again == {"batchItemFailures": []}
    assert stage.inbox() == []


def test_a_malformed_finding_is_retried() -> None:
    """The other findings are imported."""
    first, second = records(0, count=2)
    del first["dynamodb"]["NewImage"]["rule"]
    client = RejectingHub("none")
    assert security_hub(client).import_findings([first, second]) == ["0-0"]
    assert client.batches == [1]


def test_scope_records_and_deletions_are_not_imported() -> None:
    """No call is made for them."""
    client = RejectingHub()
    head = {"dynamodb": {"SequenceNumber": "1", "NewImage": {"kind": {"S": "head"}}}}
    assert security_hub(client).import_findings([head, {"dynamodb": {"SequenceNumber": "2"}}]) == []
    assert client.batches == []
