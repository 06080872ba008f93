"""A call that can stop the monitor is in one alert, which names the caller."""

import json

from finding_builders import at
from notify_stage import Stage
from posture.changes.tampering import parse_tampering
from posture.evaluation.tampering import TamperingRecorder
from posture.model.scope import Region
from posture.store.baselines import BaselineTable
from posture.store.scope_store import Store
from sample_network import ACCOUNT, REGION
from stack_tables import TABLES
from tampering_calls import MALLORY, build_event


def test_a_call_is_in_one_alert_with_its_caller(stage: Stage) -> None:
    """However often its message is delivered."""
    event = build_event("events", "DisableRule", {"name": "posture-ChangesRule-AB12"}, time=at(0))
    baselines = BaselineTable(stage.dynamodb, TABLES.baseline)
    times = map(at, range(1, 9))
    recorder = TamperingRecorder(Store(stage.dynamodb, TABLES), baselines, lambda: next(times))
    for _ in range(2):
        recorder.record(Region(ACCOUNT, REGION).monitor, [parse_tampering(event)])
    stage.notify(stage.records())
    (message,) = stage.inbox()
    # The stage knows the titles of no rules.
    assert message["Subject"] == f"[HIGH] monitor-tampering - {ACCOUNT} {REGION}"
    body = json.loads(message["Message"])
    assert body["scope"] == f"{ACCOUNT}/{REGION}/monitor"
    (finding,) = body["findings"]
    assert (finding["rule"], finding["resource"]) == (
        "monitor-tampering",
        "posture-ChangesRule-AB12",
    )
    command = (
        "posture waiver add --rule monitor-tampering --resource posture-ChangesRule-AB12 "
        f"--scope {ACCOUNT}/{REGION}/monitor --expires 1h --ticket TICKET --reason REASON"
    )
    assert command in finding["remediation"]["text"]
    assert command in " ".join(message["Message"].split())
    (cause,) = body["causes"]
    assert (cause["actor"], cause["event_name"]) == (MALLORY.arn, "DisableRule")
