"""The events that Cloud Custodian loses, handed to its handler and to our evaluator alike.

Run: `.venv/bin/python benchmarks/peers/lost_events.py`; prints a table in Markdown.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path += [str(ROOT / "tests" / "stages"), str(HERE)]
os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"  # before the monitor is imported

import boto3  # noqa: E402
from labelled.case import HOME as REGION  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402
from moto.sns.models import sns_backends  # noqa: E402
from tools import ENV, PEERS  # noqa: E402 - it sets moto's account

from collect_world import ACCOUNT  # noqa: E402
from monitor_stage import Stage, staged  # noqa: E402

# Where Custodian finds the ids of each call: its users write these.
CREATED = "responseElements.CreateVpcEndpointResponse.vpcEndpoint.vpcEndpointId"
DELETED = "[requestParameters.DeleteVpcEndpointsRequest.VpcEndpointId][].content"
NEVER = "vpce-0123456789abcdef0"


def record(name: str, *ids: str) -> dict[str, Any]:
    """Give the event of a call that answers with, or asks for, endpoints."""
    listed = [{"tag": at, "content": each} for at, each in enumerate(ids, 1)]
    request: dict[str, Any] = {"CreateVpcEndpointRequest": {}}
    response: dict[str, Any] = {
        "CreateVpcEndpointResponse": {"vpcEndpoint": {"vpcEndpointId": ids[0]}}
    }
    if name == "DeleteVpcEndpoints":
        request = {
            "DeleteVpcEndpointsRequest": {"VpcEndpointId": listed if len(ids) > 1 else listed[0]}
        }
        response = {"DeleteVpcEndpointsResponse": {"unsuccessful": ""}}
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accountId": ACCOUNT,
        },
        "eventTime": "2026-11-25T00:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2",
        "requestParameters": request,
        "responseElements": response,
        "eventID": f"e-{name}-{'-'.join(ids)}",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }


def wrapped(detail: dict[str, Any]) -> dict[str, Any]:
    """Put a record in EventBridge's envelope."""
    return {
        "version": "0",
        "id": detail["eventID"],
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": ACCOUNT,
        "region": REGION,
        "detail": detail,
    }


def theirs(
    policy: str, events: Sequence[dict[str, Any]], url: str, topic: str
) -> list[dict[str, Any]]:
    """Hand events to Custodian; give what each returned and how many messages it sent in all."""
    policies = {
        "policies": [
            {
                "name": policy,
                "resource": "aws.vpc-endpoint",
                "mode": {
                    "type": "cloudtrail",
                    "events": [
                        {
                            "source": "ec2.amazonaws.com",
                            "event": "CreateVpcEndpoint",
                            "ids": CREATED,
                        },
                        {
                            "source": "ec2.amazonaws.com",
                            "event": "DeleteVpcEndpoints",
                            "ids": DELETED,
                        },
                    ],
                },
                "filters": [{"type": "cross-account"}],
                "actions": [
                    {
                        "type": "notify",
                        "to": ["x@example.com"],
                        "transport": {"type": "sns", "topic": topic},
                    }
                ],
            }
        ]
    }
    done = subprocess.run(  # noqa: S603 - what the make target installed
        [str(PEERS / "custodian/bin/python"), str(HERE / "custodian_events.py")],
        input=json.dumps({"policies": policies, "events": list(events)}),
        env=ENV | {"AWS_ENDPOINT_URL": url, "AWS_REGION": REGION},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    """Print the table."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    rows = []
    for case in CASES:
        print(case.name, file=sys.stderr, flush=True)
        with staged() as stage:
            rows.append(_told(case, stage, url))
    server.stop()
    print("| event | what is right | posture | Cloud Custodian |\n| --- | --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(row) + " |")


@dataclass(frozen=True)
class CaseOf:
    """An event or several, and what is right."""

    name: str
    right: str
    events: Callable[[Stage], list[dict[str, Any]]]


def _created(stage: Stage, copies: int = 1) -> list[dict[str, Any]]:
    return [record("CreateVpcEndpoint", stage.world.interface)] * copies


def _deleted(stage: Stage) -> list[dict[str, Any]]:
    stage.sweep()
    stage.world.ec2.delete_vpc_endpoints(VpcEndpointIds=[stage.world.interface])
    return [record("DeleteVpcEndpoints", stage.world.interface)]


CASES = (
    CaseOf("an open endpoint is created", "one alert", _created),
    CaseOf("the same event twice", "one alert", lambda stage: _created(stage, 2)),
    CaseOf(
        "the endpoint is not visible yet",
        "found later",
        lambda _: [record("CreateVpcEndpoint", NEVER)],
    ),
    CaseOf(
        "two ids of one call, one of them gone",
        "the other is judged",
        lambda stage: [record("DeleteVpcEndpoints", stage.world.interface, NEVER)],
    ),
    CaseOf("the VPC's endpoint is deleted", "what it fixed or broke is told", _deleted),
)


def _told(case: CaseOf, stage: Stage, url: str) -> list[str]:
    events = case.events(stage)
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="custodian")["TopicArn"]
    answers = theirs("open", [wrapped(each) for each in events], url, topic)
    sent = len(sns_backends[ACCOUNT][REGION].topics[topic].sent_notifications)
    rows = []
    failed = 0
    for each in events:
        evaluated = stage.evaluate(each)
        failed += len(evaluated.failed)
        steps = sum(len(done.transitions) for done in evaluated.results)
        swept = "region swept, " if evaluated.regions_swept else ""
        rows.append(f"{swept}{steps} transitions")
    mine = "; ".join(rows) + (f"; {failed} handed out again" if failed else "")
    their = "; ".join(f"returns {each['returned']}" for each in answers)
    return [case.name, case.right, mine, f"{their}; {sent} alerts"]


if __name__ == "__main__":
    main()
