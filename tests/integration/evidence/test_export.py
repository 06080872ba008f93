"""The ends of the chains in a bucket with Object Lock, exported by the function itself."""

import gzip
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from audit_stage import TableWriter
from finding_builders import OTHER, SCOPE, verdict
from locked_bucket import create_locked_bucket
from posture.errors import SettingsError
from posture.evidence.export import LockedBucket, build_key, export_chain_ends
from posture.model.scope import Scope
from posture.runtime.settings import EvidenceBucket
from posture.store.chain_ends import ExportHeader
from posture.store.findings import Findings
from posture.store.waivers import WaiverTable
from posture_cli.embedded.functions import EmbeddedFunction
from stack_tables import TABLES, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[3]
BUCKET = "evidence-bucket"
OWNER = "123456789012"  # the account of moto
SETTINGS = {
    "AWS_REGION": "eu-west-1",
    "MONITORED_ACCOUNT": "111122223333",
    "FINDINGS_TABLE": TABLES.findings,
    "HISTORY_TABLE": TABLES.history,
    "BASELINE_TABLE": TABLES.baseline,
    "OWNERSHIP_TABLE": TABLES.ownership,
    "IDEMPOTENCY_TABLE": TABLES.idempotency,
    "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:alerts",
    "STACK_NAME": "posture",
    "RESOLVED_FINDING_DAYS": "0",
    "EVIDENCE_BUCKET": BUCKET,
    "EVIDENCE_BUCKET_OWNER": OWNER,
    "POWERTOOLS_SERVICE_NAME": "export",
    "POWERTOOLS_METRICS_NAMESPACE": "VpcEndpointPosture",
}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> "Iterator[S3Client]":
    """Return a client of an emulated S3 with a locked bucket, and tables beside it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        create_tables(boto3.client("dynamodb"))
        yield create_locked_bucket(BUCKET, Years=3)


def run_function(**settings: str) -> Any:
    """Invoke the function as Lambda does."""
    app = ROOT / "functions/export/app.py"
    return EmbeddedFunction("export", app, SETTINGS | settings, "arn:aws:lambda:function")({})


def read_lines(s3: "S3Client", key: str) -> list[Any]:
    """Return the lines of an export."""
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def test_the_function_exports_every_chain(s3: "S3Client", monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a scope without rows and of the waivers, in one object that is locked."""
    monkeypatch.setattr("posture.runtime.clients.dynamodb", lambda: boto3.client("dynamodb"))
    monkeypatch.setattr("posture.runtime.clients.s3", lambda: boto3.client("s3"))
    writer = TableWriter(boto3.client("dynamodb"))
    writer.record(0, verdict(), verdict(resource="subnet-0b"))
    writer.record(5, scope=OTHER)
    result = run_function()
    assert (result["chains"], result["rows"]) == (3, 2)
    assert re.fullmatch(
        r"posture/111122223333/eu-west-1/\d{4}/\d\d/\d\d/\d{6}\.\d{6}Z\.ndjson\.gz", result["key"]
    )
    header, *ends, last = read_lines(s3, result["key"])
    assert (header["kind"], header["version"], header["table"], header["complete"]) == (
        "chain-ends",
        2,
        TABLES.history,
        True,
    )
    assert {each["scope"]: each["length"] for each in ends} == {
        str(SCOPE): 2,
        str(OTHER): 0,
        "waivers": 0,
    }
    assert ends[0]["first_observed_at"] == "2026-01-31T12:00:00.000000Z"
    assert last == {"chains": 3, "rows": 2}
    locked = s3.get_object(Bucket=BUCKET, Key=result["key"])
    assert locked["ObjectLockMode"] == "COMPLIANCE"


def test_a_scope_record_that_cannot_be_read_hides_no_other(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are exported, not as all there are; then the function fails, and names it."""
    monkeypatch.setattr("posture.runtime.clients.dynamodb", lambda: boto3.client("dynamodb"))
    monkeypatch.setattr("posture.runtime.clients.s3", lambda: boto3.client("s3"))
    writer = TableWriter(boto3.client("dynamodb"))
    writer.record(0, verdict(), verdict(resource="subnet-0b"))
    writer.record(5, scope=OTHER)
    boto3.client("dynamodb").update_item(
        TableName=TABLES.findings,
        Key={"scope": {"S": str(OTHER)}, "item": {"S": "#head"}},
        UpdateExpression="SET revision = :text",
        ExpressionAttributeValues={":text": {"S": "three"}},
    )
    with pytest.raises(Exception, match=str(OTHER)):
        run_function()
    (exported,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    header, *ends, last = read_lines(s3, exported["Key"])
    assert header["complete"] is False
    assert [each["scope"] for each in ends] == [str(SCOPE), "waivers"]
    assert last == {"chains": 2, "rows": 2}


def test_without_a_bucket_the_function_does_not_start() -> None:
    """The template deploys it only with one."""
    with pytest.raises(SettingsError, match="EVIDENCE_BUCKET"):
        run_function(EVIDENCE_BUCKET="")
    with pytest.raises(SettingsError, match="EVIDENCE_BUCKET: expected the name of a bucket"):
        run_function(EVIDENCE_BUCKET="A/b")


class _Target:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def put(self, key: str, body: Any, digest: str) -> None:  # noqa: ARG002
        self.bodies[key] = body.read()


@pytest.mark.usefixtures("s3")
def test_many_scopes_are_read_in_pages() -> None:
    """A hundred records with a request, whatever the number of scopes; none is missing."""
    client: DynamoDBClient = boto3.client("dynamodb")
    scopes = [Scope("111122223333", "eu-west-1", f"vpc-{number:04}") for number in range(250)]
    writer = TableWriter(client)
    for scope in scopes:
        writer.write(scope, [], datetime(2026, 1, 31, tzinfo=UTC))
    sizes = []
    client.meta.events.register(
        "provide-client-params.dynamodb.BatchGetItem",
        lambda params, **_: sizes.append(len(params["RequestItems"]["findings"]["Keys"])),
    )
    target = _Target()
    header = ExportHeader("history", datetime(2026, 2, 1, tzinfo=UTC), "posture", "1", "r")
    result = export_chain_ends(
        Findings(client, "findings"), WaiverTable(client, "baseline"), target, header
    )
    assert sizes == [100, 100, 50]
    assert result.key == build_key(header) == "posture/1/r/2026/02/01/000000.000000Z.ndjson.gz"
    lines = gzip.decompress(target.bodies[result.key]).splitlines()
    named = {json.loads(line)["scope"] for line in lines[1:-1]}
    assert named == {*map(str, scopes), "waivers"}


def test_a_bucket_of_another_owner_is_refused(s3: "S3Client") -> None:
    """And an object that exists is not overwritten."""
    sent: list[Any] = []
    s3.meta.events.register(
        "provide-client-params.s3.PutObject", lambda params, **_: sent.append(params)
    )
    LockedBucket(s3, EvidenceBucket(BUCKET, OWNER)).put(
        "a", io.BytesIO(b"x"), "nd1wdNS3wHKUMi7XhQAVQA=="
    )
    assert (sent[0]["ExpectedBucketOwner"], sent[0]["IfNoneMatch"]) == (OWNER, "*")


def test_the_documented_bucket_policy_is_accepted(s3: "S3Client") -> None:
    """It is JSON that S3 takes, once the names are filled in; the role may only add objects."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    [text] = [it for it in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "Exports" in it]
    for name, value in {
        "BUCKET": BUCKET,
        "EXPORT-ROLE-ARN": "arn:aws:iam::111122223333:role/export",
        "AUDITOR-ROLE-ARN": "arn:aws:iam::444455556666:role/auditor",
    }.items():
        text = text.replace(name, value)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=text)
    allowed = [it for it in json.loads(text)["Statement"] if it["Effect"] == "Allow"]
    assert [it["Sid"] for it in allowed] == ["MonitorAddsExports", "AuditorsRead"]
    assert allowed[0]["Action"] == "s3:PutObject"


@pytest.mark.parametrize("name", ["dynamodb", "s3"])
def test_the_layers_models_are_enough(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The clients of the function work with the part of botocore's models in the layer."""
    from posture.runtime import clients  # noqa: PLC0415 - its session reads the environment

    monkeypatch.setenv("AWS_DATA_PATH", str(ROOT / "layers/posture/python/posture/models"))
    for cached in (clients.session, clients.s3, clients.dynamodb):
        cached.cache_clear()
    try:
        if name == "s3":
            bucket = LockedBucket(clients.s3(), EvidenceBucket(BUCKET, OWNER))
            bucket.put("a", io.BytesIO(b"x"), "nd1wdNS3wHKUMi7XhQAVQA==")
            assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"x"
            with pytest.raises(ClientError):
                LockedBucket(clients.s3(), EvidenceBucket("absent-bucket", OWNER)).put(
                    "a", io.BytesIO(b"x"), "nd1wdNS3wHKUMi7XhQAVQA=="
                )
        else:
            assert not list(Findings(clients.dynamodb(), "findings").read_records([SCOPE]))
    finally:
        for cached in (clients.session, clients.s3, clients.dynamodb):
            cached.cache_clear()
