"""What only exported ends of the chains give away, and what they cannot."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from audit_stage import posture, record_evaluation, rows, set_chain_end
from finding_builders import OTHER, SCOPE, at, verdict
from locked_bucket import create_locked_bucket
from posture.evidence.export import LockedBucket, export_chain_ends
from posture.model.scope import Scope
from posture.runtime.encoded_item import EncodedItem
from posture.runtime.settings import EvidenceBucket
from posture.store.chain_ends import ChainEnd, ExportHeader, format_lines
from posture.store.findings import Findings
from posture.store.hash_chain import Chain, append_to_chain
from posture.store.scope_store import Store
from posture.store.waivers import WaiverTable
from posture_cli.failure import CommandError
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

BUCKET = "evidence-bucket"
PREFIX = "posture/111122223333/eu-west-1/"
AGAINST = f"s3://{BUCKET}/{PREFIX}"
CHAINED = {"digest", "number", "previous"}


@pytest.fixture
def bucket(dynamodb: "DynamoDBClient") -> "S3Client":
    """Return S3 with a bucket that has Object Lock, and two scopes that were evaluated."""
    client = create_locked_bucket(BUCKET, Days=9)
    store = Store(dynamodb, TABLES)
    record_evaluation(store, 0, verdict(), verdict(resource="subnet-0b"))
    record_evaluation(store, 1, verdict())
    record_evaluation(store, 2, scope=OTHER)
    return client


def export(client: "DynamoDBClient", instant: datetime) -> str:
    """Export as the function does; return the key."""
    header = ExportHeader(TABLES.history, instant, "posture", "111122223333", "eu-west-1")
    target = LockedBucket(boto3.client("s3"), EvidenceBucket(BUCKET, "123456789012"))
    findings, waivers = Findings(client, TABLES.findings), WaiverTable(client, TABLES.baseline)
    return export_chain_ends(findings, waivers, target, header).key


def verify(*arguments: str) -> tuple[dict[str, str | None], str]:
    """Return the problem of each scope, and the notes."""
    result = posture("verify", "--baseline-table", TABLES.baseline, *arguments, "-o", "json")
    assert result.exit_code in {0, 1}, result.exception
    found = {each["scope"]: each["problem"] for each in json.loads(result.stdout)}
    assert result.exit_code == any(found.values())
    return found, result.stderr


def chain_of(client: "DynamoDBClient", scope: Scope = SCOPE) -> list[dict[str, Any]]:
    """Return the rows of a scope in their order."""
    return sorted(rows(client, "history", scope), key=lambda row: int(row["number"]["N"]))


def remove_whole(client: "DynamoDBClient", scope: Scope) -> None:
    """Remove every trace of a scope."""
    for table, key in (("findings", "item"), ("history", "entry")):
        for row in rows(client, table, scope):
            client.delete_item(TableName=table, Key={name: row[name] for name in ("scope", key)})


def rewrite(client: "DynamoDBClient", **changed: Any) -> None:
    """Rewrite the whole chain, its end and the findings, as who can write both tables could."""
    chain = Chain()
    for row in chain_of(client):
        bare = {name: row[name] for name in row if name not in CHAINED}
        forged, chain = append_to_chain(EncodedItem({**bare, **changed}), chain)
        client.put_item(TableName="history", Item=forged)
    set_chain_end(client, chain)


@pytest.mark.usefixtures("bucket")
def test_an_untouched_history_is_proven(dynamodb: "DynamoDBClient") -> None:
    """From when to when, how many chains and rows, against which exports, and what is not yet."""
    export(dynamodb, at(10))
    export(dynamodb, at(20))
    record_evaluation(Store(dynamodb, TABLES), 30)
    found, notes = verify("--against", AGAINST)
    assert found == {str(SCOPE): None, str(OTHER): None, "waivers": None}
    assert "4 rows in 3 chains, written from 2026-01-31 12:00 UTC to 2026-01-31 12:30 UTC" in notes
    assert "compared with 2 exports from 2026-01-31 12:10 to 2026-01-31 12:20 UTC" in notes
    assert "3 rows in 1 chains are as they were exported; 1 rows since are consistent" in notes
    assert "version" not in notes
    assert "retention" not in notes


@pytest.mark.usefixtures("bucket")
def test_without_exports_the_limits_are_stated() -> None:
    """Consistency is no proof against someone who can write both tables."""
    _, notes = verify()
    assert "not compared with exported ends" in notes
    assert "would not be noticed; see --against" in notes


@pytest.mark.usefixtures("bucket")
def test_a_rewritten_chain_is_given_away(dynamodb: "DynamoDBClient") -> None:
    """Also if the next export holds the forgery: every export is compared, not only the last."""
    export(dynamodb, at(10))
    rewrite(dynamodb, region={"S": "eu-west-1"}, actor={"S": "mallory"})
    assert verify()[0][str(SCOPE)] is None
    assert verify("--against", AGAINST)[0][str(SCOPE)] == (
        "altered: rewritten up to row 3 since its end was exported"
    )
    last = export(dynamodb, at(20))
    assert verify("--against", f"s3://{BUCKET}/{last}")[0][str(SCOPE)] is None
    assert verify("--against", AGAINST)[0][str(SCOPE)] == (
        "altered: exports of it end with different digests of row 3"
    )


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("scope", [SCOPE, OTHER])
def test_a_scope_that_was_removed_whole_is_missed(dynamodb: "DynamoDBClient", scope: Scope) -> None:
    """Whether or not it had any row."""
    export(dynamodb, at(10))
    remove_whole(dynamodb, scope)
    assert str(scope) not in verify()[0]
    problem = verify("--against", AGAINST)[0][str(scope)]
    assert problem is not None
    assert problem.startswith("removed: ")


@pytest.mark.usefixtures("bucket")
def test_digests_that_were_stripped_are_noticed(dynamodb: "DynamoDBClient") -> None:
    """By the schema of the rows; if that is forged as well, only by an export."""
    export(dynamodb, at(10))
    stripped = [
        {name: row[name] for name in row if name not in CHAINED} for row in chain_of(dynamodb)
    ]
    for row in stripped:
        dynamodb.put_item(TableName="history", Item=row)
    assert verify()[0][str(SCOPE)] == "altered: its digest was removed"
    for table, items in (("history", stripped), ("findings", rows(dynamodb, "findings"))):
        for item in items:
            if item["kind"] != {"S": "head"}:
                dynamodb.put_item(TableName=table, Item={**item, "schema": {"N": "1"}})
    dynamodb.update_item(
        TableName="findings",
        Key={"scope": {"S": str(SCOPE)}, "item": {"S": "#head"}},
        UpdateExpression="SET #schema = :first REMOVE chain_length, chain_tip",
        ExpressionAttributeNames={"#schema": "schema"},
        ExpressionAttributeValues={":first": {"N": "1"}},
    )
    found, notes = verify()
    assert found[str(SCOPE)] is None
    assert "3 older rows without a chain, which cannot be verified" in notes
    assert verify("--against", AGAINST)[0][str(SCOPE)] == (
        "removed: 0 rows are left of the 3 exported"
    )


@pytest.mark.usefixtures("bucket")
def test_an_end_that_was_set_back_is_given_away(dynamodb: "DynamoDBClient") -> None:
    """The last row is removed with all that refers to it; before an export that is not noticed."""
    export(dynamodb, at(10))
    *kept, last = chain_of(dynamodb)
    dynamodb.delete_item(TableName="history", Key={name: last[name] for name in ("scope", "entry")})
    set_chain_end(dynamodb, Chain(len(kept), kept[-1]["digest"]["S"]))
    resolved = next(
        item for item in rows(dynamodb, "findings") if item["item"]["S"].startswith("~resolved#")
    )
    key = {name: resolved[name] for name in ("scope", "item")}
    dynamodb.delete_item(TableName="findings", Key=key)
    before = next(row for row in kept if row["id"] == resolved["id"])
    item = {"item": {"S": resolved["item"]["S"].removeprefix("~resolved#")}}
    dynamodb.put_item(TableName="findings", Item={**before, **item, "kind": {"S": "finding"}})
    assert verify()[0][str(SCOPE)] is None
    assert verify("--against", AGAINST)[0][str(SCOPE)] == (
        "removed: 2 rows are left of the 3 exported"
    )


@pytest.mark.usefixtures("bucket")
def test_a_row_that_is_dated_before_an_export_must_be_in_it(dynamodb: "DynamoDBClient") -> None:
    """A past that was added later, to an old scope or as a scope of its own."""
    export(dynamodb, at(200))
    store = Store(dynamodb, TABLES)
    record_evaluation(store, 185, verdict("no-policy", "vpce-0a"))  # it took 15 minutes to write
    assert verify("--against", AGAINST)[0][str(SCOPE)] is None
    third = Scope(SCOPE.account, SCOPE.region, "vpc-0c")
    record_evaluation(store, 100, verdict(), scope=third)
    found, _ = verify("--against", AGAINST)
    assert found[str(third)] == (
        "inserted: it is dated before the export of 2026-01-31 15:20 UTC, which does not hold it"
    )
    record_evaluation(store, 210, scope=third)
    record_evaluation(store, 220, verdict(), scope=Scope(SCOPE.account, SCOPE.region, "vpc-0d"))
    found, _ = verify("--against", AGAINST)
    assert [scope for scope, problem in found.items() if problem] == [str(third)]


def test_the_first_version_of_an_object_counts(
    dynamodb: "DynamoDBClient", bucket: "S3Client"
) -> None:
    """Object Lock keeps it, though another version is put on top, or a delete marker."""
    keys = [export(dynamodb, at(minute)) for minute in (10, 20)]
    rewrite(dynamodb, actor={"S": "mallory"})
    header = ExportHeader(TABLES.history, at(10), "posture")
    forged = [ChainEnd(str(SCOPE), Chain(3, chain_of(dynamodb)[-1]["digest"]["S"]))]
    body = "\n".join(format_lines(header, forged)).encode()
    bucket.put_object(Bucket=BUCKET, Key=keys[0], Body=body)
    bucket.delete_object(Bucket=BUCKET, Key=keys[1])
    found, notes = verify("--against", AGAINST)
    assert found[str(SCOPE)] == "altered: rewritten up to row 3 since its end was exported"
    assert "1 of 2 exports has more than one version; the first one is used" in notes
    assert "1 of 2 exports was deleted, though a version of it is left, which is used" in notes


def test_an_export_without_a_lock_is_a_weaker_witness(dynamodb: "DynamoDBClient") -> None:
    """It may have been replaced."""
    record_evaluation(Store(dynamodb, TABLES), 0, verdict())
    boto3.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    export(dynamodb, at(10))
    _, notes = verify("--against", AGAINST)
    assert "1 of 1 exports has no retention that you can read; it may have been replaced" in notes


@pytest.mark.usefixtures("bucket")
def test_several_witnesses_are_compared_with(dynamodb: "DynamoDBClient", tmp_path: Path) -> None:
    """A bucket, a compressed file of --heads and a mailbox of alerts and digests."""
    export(dynamodb, at(10))
    heads = tmp_path / "heads.ndjson.gz"
    assert posture("verify", "--heads", str(heads)).exit_code == 0
    assert gzip.decompress(heads.read_bytes()).startswith(b'{"kind":"chain-ends","version":2')
    first, second, third = (row["digest"]["S"] for row in chain_of(dynamodb))
    alert = {"kind": "alert", "scope": str(SCOPE), "history": {"rows": 1, "digest": first}}
    ends = [
        {"scope": str(SCOPE), "rows": 2, "digest": second},
        {"scope": str(SCOPE), "rows": 3, "digest": third},
    ]
    digest = {"kind": "digest", "histories": ends}
    mailbox = tmp_path / "alerts.ndjson"
    mailbox.write_text(f"{json.dumps(alert)}\n{json.dumps(digest)}\n", encoding="utf-8")
    given = ["--against", AGAINST, "--against", str(heads), "--against", str(mailbox)]
    found, notes = verify(*given)
    assert not any(found.values())
    assert "compared with 2 exports from" in notes
    assert "and 3 alerts: 3 rows in 1 chains" in notes
    ends[1]["digest"] = "0" * 64
    mailbox.write_text(json.dumps(digest), encoding="utf-8")
    found, _ = verify("--against", str(mailbox))
    assert found[str(SCOPE)] == "altered: rewritten up to row 3 since its end was exported"


@pytest.mark.usefixtures("bucket")
def test_exports_of_another_table_are_named(dynamodb: "DynamoDBClient", tmp_path: Path) -> None:
    """A restored copy has another name; a wrong file is seen."""
    file = tmp_path / "heads.json"
    header = ExportHeader("other-table", at(10))
    ends = [ChainEnd(str(SCOPE), Chain(3, chain_of(dynamodb)[-1]["digest"]["S"]))]
    file.write_text("\n".join(format_lines(header, ends)), encoding="utf-8")
    found, notes = verify("--against", str(file))
    assert found[str(SCOPE)] is None
    assert f"an export is of table other-table, not of {TABLES.history}" in notes


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("location", "named"),
    [
        (f"s3://{BUCKET}/absent/", "there is no export"),
        ("s3://", "expected s3://BUCKET/PREFIX"),
        (f"s3://{BUCKET}", "expected s3://BUCKET/PREFIX"),
    ],
)
def test_a_wrong_location_is_refused(location: str, named: str) -> None:
    """Rather than compared with nothing."""
    result = posture("verify", "--against", location)
    assert isinstance(result.exception, CommandError)
    assert named in str(result.exception)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (gzip.compress(b"{}\n{", mtime=0), "expected JSON: line 2"),
        (b"\x1f\x8bxx", "cannot be read"),
        (gzip.compress(b"{}", mtime=0)[:-9], "cannot be read"),
    ],
)
def test_a_malformed_export_is_named(bucket: "S3Client", body: bytes, named: str) -> None:
    """With its key, and the line."""
    bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}a.ndjson.gz", Body=body)
    result = posture("verify", "--against", AGAINST)
    assert isinstance(result.exception, CommandError)
    assert f"s3://{BUCKET}/{PREFIX}a.ndjson.gz: {named}" in str(result.exception)


@pytest.mark.usefixtures("bucket")
def test_a_scope_that_was_never_observed_is_an_error() -> None:
    """It is not intact."""
    result = posture("verify", "--scope", "111122223333/eu-west-1/vpc-0ff")
    assert isinstance(result.exception, CommandError)
    assert "111122223333/eu-west-1/vpc-0ff was never observed" in str(result.exception)


@pytest.mark.usefixtures("bucket")
def test_an_export_that_is_dated_later_than_now_accuses_no_row(
    dynamodb: "DynamoDBClient",
) -> None:
    """Of one that was put there, or that a clock ahead dated, only the ends of chains count."""
    export(dynamodb, datetime.now(UTC) + timedelta(days=3_650))
    record_evaluation(Store(dynamodb, TABLES), 30)
    found, notes = verify("--against", AGAINST)
    assert set(found.values()) == {None}
    assert "in the future" in notes
    rewrite(dynamodb, region={"S": "eu-west-1"}, actor={"S": "mallory"})
    assert "rewritten up to row 3" in str(verify("--against", AGAINST)[0][str(SCOPE)])
