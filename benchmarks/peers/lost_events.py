"""Send the events that Cloud Custodian loses to its handler and to our evaluator.

Run: `.venv/bin/python benchmarks/peers/lost_events.py`; prints a table in Markdown.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# Before the monitor and moto are imported.
os.environ.update(POWERTOOLS_LOG_LEVEL="CRITICAL", MOTO_ACCOUNT_ID="111122223333")

import boto3  # noqa: E402
import yaml  # noqa: E402
from moto.sns.models import sns_backends  # noqa: E402
from scoring import format_head, format_row  # noqa: E402
from tools import ENVIRONMENT, PEERS  # noqa: E402

from change_records import ACCOUNT, REGION, build_event, build_tagged_list, build_wrapped_record  # noqa: E402
from monitor_stage import Stage, staged  # noqa: E402
from posture_cli.embedded.server import serve  # noqa: E402

MISSING = "vpce-0123456789abcdef0"

Json = dict[str, Any]


def build_creation(endpoint: str) -> Json:
    """Return the record of a created endpoint."""
    answer = {"vpcEndpoint": {"vpcEndpointId": endpoint}}
    return build_wrapped_record("CreateVpcEndpoint", {}, answer, eventID=f"e-{endpoint}")


def build_deletion(*endpoints: str) -> Json:
    """Return the record of deleted endpoints."""
    request, event_id = {"VpcEndpointId": build_tagged_list(*endpoints)}, f"e-{'-'.join(endpoints)}"
    return build_wrapped_record(
        "DeleteVpcEndpoints", request, {"unsuccessful": ""}, eventID=event_id
    )


def send_to_custodian(events: Sequence[Json], url: str, topic: str) -> list[Json]:
    """Send events to Custodian's handler; return what it returned for each."""
    config = (HERE / "custodian_events.yml").read_text(encoding="utf-8").replace("TOPIC", topic)
    done = subprocess.run(  # noqa: S603 - installed by the make target
        [str(PEERS / "custodian/bin/python"), str(HERE / "custodian_events.py")],
        input=json.dumps({"policies": yaml.safe_load(config), "events": list(events)}),
        env=ENVIRONMENT | {"AWS_ENDPOINT_URL": url, "AWS_REGION": REGION},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


@dataclass(frozen=True)
class LostEvent:
    """Events, and the correct result."""

    name: str
    correct: str
    build: Callable[[Stage], list[Json]]


def _create(stage: Stage) -> list[Json]:
    return [build_creation(stage.network.interface)]


def _delete(stage: Stage) -> list[Json]:
    stage.sweep()
    stage.network.ec2.delete_vpc_endpoints(VpcEndpointIds=[stage.network.interface])
    return [build_deletion(stage.network.interface)]


CASES = (
    LostEvent("an open endpoint is created", "one alert", _create),
    LostEvent("the same event twice", "one alert", lambda stage: 2 * _create(stage)),
    LostEvent(
        "the endpoint is not visible yet", "found later", lambda _: [build_creation(MISSING)]
    ),
    LostEvent(
        "two ids in one call, one does not exist",
        "the other is evaluated",
        lambda stage: [build_deletion(stage.network.interface, MISSING)],
    ),
    LostEvent("the VPC's endpoint is deleted", "its effects are reported", _delete),
)


def compare(case: LostEvent, stage: Stage, url: str) -> str:
    """Send a case's events to both; return the row."""
    events = case.build(stage)
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="custodian")["TopicArn"]
    answers = send_to_custodian([build_event(each) for each in events], url, topic)
    sent = len(sns_backends[ACCOUNT][REGION].topics[topic].sent_notifications)
    results, failed = [], 0
    for each in events:
        evaluated = stage.evaluate(each)
        failed += len(evaluated.failed)
        transitions = sum(len(done.transitions) for done in evaluated.results)
        swept = "region swept, " if evaluated.regions_swept else ""
        results.append(f"{swept}{transitions} transitions")
    ours = "; ".join(results) + (f"; {failed} retried" if failed else "")
    theirs = "; ".join(f"returns {each['returned']}" for each in answers)
    return format_row(case.name, case.correct, ours, f"{theirs}; {sent} alerts")


def main() -> None:
    """Print the table."""
    rows = []
    with serve() as url:
        for case in CASES:
            print(case.name, file=sys.stderr, flush=True)
            with staged() as stage:
                rows.append(compare(case, stage, url))
    head = format_head("event", "correct result", "posture", "Cloud Custodian")
    print(head, *rows, sep="\n")


if __name__ == "__main__":
    main()
