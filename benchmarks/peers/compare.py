"""Side by side on one emulated account: what each tool finds of what is labelled, and its price.

Run: `make compare`. Peers live in virtual environments of their own under .peers/, which the make
target fills. The account is moto's, served on this machine; a call is a request that reached it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEERS = ROOT / ".peers"
ACCOUNT, REGION = "111122223333", "eu-west-1"
os.environ["MOTO_ACCOUNT_ID"] = ACCOUNT

import boto3  # noqa: E402 - moto reads the account when it is imported
from labelled import Account, Case  # noqa: E402
from moto.core.responses import BaseResponse  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402
from werkzeug.serving import WSGIRequestHandler  # noqa: E402

from posture_cli.embedded.fidelity import complete_moto  # noqa: E402

ENV = {
    "AWS_ACCESS_KEY_ID": "compared",
    "AWS_SECRET_ACCESS_KEY": "compared",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_COLOR": "1",
    "PATH": os.environ["PATH"],
    "HOME": tempfile.gettempdir(),
}
OURS = {
    # Who lets in everybody for everything is told so, and not of strangers besides.
    "strangers get in": {"endpoint-policy-untrusted-principal", "endpoint-policy-full-access"},
    "stands in one zone": {"endpoint-in-one-zone"},
    "VPC lacks an EC2 endpoint": {"required-service-without-endpoint"},
    "group open to everybody": {"endpoint-open-to-everybody"},
    "strangers may connect to a service": {"service-open-to-strangers"},
}
PROWLER = {
    "strangers get in": "vpc_endpoint_connections_trust_boundaries",
    "stands in one zone": "vpc_endpoint_multi_az_enabled",
    "VPC lacks an EC2 endpoint": "vpc_endpoint_for_ec2_enabled",
    "strangers may connect to a service": (
        "vpc_endpoint_services_allowed_principals_trust_boundaries"
    ),
}
CUSTODIAN = {
    "strangers get in": "trust",
    "stands in one zone": "zones",
    "VPC lacks an EC2 endpoint": "required",
    "group open to everybody": "groups",
}

Found = Mapping[str, Collection[str]]  # by question: the resources that are called bad
calls: Counter[str] = Counter()
ANSWER = BaseResponse.call_action
UNSUPPORTED = (
    "<Response><Errors><Error><Code>UnsupportedOperation</Code><Message>{}</Message></Error>"
    "</Errors><RequestID>r</RequestID></Response>"
)


@dataclass
class Result:
    """What a tool took, and what it found; a question it does not ask is missing."""

    tool: str
    seconds: float
    megabytes: float
    calls: int
    found: Found


def _answer(self: BaseResponse) -> Any:
    """Refuse what moto lacks as AWS refuses what a region lacks, instead of failing at it."""
    try:
        return ANSWER(self)
    except NotImplementedError as error:
        return 400, {}, UNSUPPORTED.format(error)


def _count(handler: Any, *_: Any) -> None:
    calls[handler.path.partition("?")[0]] += 1


def run(tool: str, command: list[str], read: Callable[[str, Path], Found]) -> Result:
    """Run a tool as people do; give what it took and found."""
    with tempfile.TemporaryDirectory() as folder:
        filled = [part.replace("FOLDER", folder) for part in command]
        calls.clear()
        started = time.perf_counter()
        timed = ["/usr/bin/env", sys.executable, str(HERE / "peak.py"), *filled]
        done = subprocess.run(timed, env=ENV, capture_output=True, text=True, check=False)  # noqa: S603
        seconds = time.perf_counter() - started
        megabytes = float(done.stderr.rsplit("peak-megabytes:", 1)[-1])
        try:
            found = read(done.stdout, Path(folder))
        except Exception:
            print(done.stdout[-2000:], done.stderr[-3000:], file=sys.stderr)
            raise
        return Result(tool, seconds, megabytes, calls.total(), found)


def read_ours(output: str, _: Path) -> Found:
    """Read `posture scan --output json`."""
    failed = [each for each in json.loads(output) if each["status"] == "fail"]
    return {
        question: {each["resource"] for each in failed if each["rule"] in rules}
        | {each["vpc"] for each in failed if each["rule"] in rules and "lacks" in question}
        for question, rules in OURS.items()
    }


def read_prowler(_: str, folder: Path) -> Found:
    """Read Prowler's OCSF."""
    (report,) = folder.glob("*.ocsf.json")
    findings = json.loads(report.read_text())
    found: dict[str, set[str]] = {question: set() for question in PROWLER}
    for finding in findings:
        for question, check in PROWLER.items():
            if finding["metadata"]["event_code"] == check and finding["status_code"] == "FAIL":
                uid = finding["resources"][0]["uid"]
                found[question].add(uid.rsplit("/", 1)[-1])
    return found


def read_custodian(_: str, folder: Path) -> Found:
    """Read Custodian's resources.json of each policy."""
    return {
        question: {
            str(each.get("VpcEndpointId") or each["VpcId"])
            for each in json.loads((folder / policy / "resources.json").read_text())
        }
        for question, policy in CUSTODIAN.items()
    }


def scored(cases: list[Case], result: Result, question: str) -> str:
    """Give true and false positives and negatives, and the cases that were wrong."""
    if question not in result.found:
        return "not asked"
    right, wrong = Counter[str](), []
    for case in (each for each in cases if each.question == question):
        called = case.resource in result.found[question]
        right[("T" if called == case.bad else "F") + ("P" if called else "N")] += 1
        if called != case.bad:
            wrong.append(case.name)
    told = " ".join(f"{name} {right[name]}" for name in ("TP", "TN", "FP", "FN"))
    return told + (f" (wrong: {'; '.join(wrong)})" if wrong else "")


def main() -> None:
    """Build the account, run the tools, print two tables in Markdown."""
    WSGIRequestHandler.log_request = _count  # type: ignore[method-assign,assignment]
    complete_moto()
    setattr(BaseResponse, "call_action", _answer)  # noqa: B010 - a method is replaced
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=True)
    server.start()
    host, port = server.get_host_and_port()
    ENV["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
    session = boto3.Session("compared", "compared", region_name=REGION)
    os.environ["AWS_ENDPOINT_URL"] = ENV["AWS_ENDPOINT_URL"]
    cases = list(Account(session).cases())
    posture = str(ROOT / ".venv/bin/posture")
    results = [
        run(
            "posture",
            [
                posture,
                "scan",
                "--region",
                REGION,
                "--baseline",
                str(HERE / "baseline.yaml"),
                "-o",
                "json",
            ],
            read_ours,
        ),
        run(
            "Prowler",
            [
                str(PEERS / "prowler/bin/prowler"),
                "aws",
                "--region",
                REGION,
                "--checks",
                *PROWLER.values(),
                "-M",
                "json-ocsf",
                "-o",
                "FOLDER",
                "-F",
                "report",
                "--config-file",
                str(HERE / "prowler.yaml"),
                "--no-banner",
                "--ignore-exit-code-3",
                "--scan-unused-services",
            ],
            read_prowler,
        ),
        run(
            "Cloud Custodian",
            [
                str(PEERS / "custodian/bin/custodian"),
                "run",
                "--region",
                REGION,
                "-s",
                "FOLDER",
                "--cache-period",
                "0",
                str(HERE / "custodian.yml"),
            ],
            read_custodian,
        ),
    ]
    server.stop()
    report(cases, results)


def report(cases: list[Case], results: list[Result]) -> None:
    """Print the tables."""
    print("| | " + " | ".join(each.tool for each in results) + " |")
    print("| --- |" + " --- |" * len(results))
    print("| seconds | " + " | ".join(f"{each.seconds:.1f}" for each in results) + " |")
    print("| peak memory, MB | " + " | ".join(f"{each.megabytes:.0f}" for each in results) + " |")
    print("| API calls | " + " | ".join(str(each.calls) for each in results) + " |")
    for question in dict.fromkeys(case.question for case in cases):
        row = [scored(cases, each, question) for each in results]
        print(f"| {question} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
