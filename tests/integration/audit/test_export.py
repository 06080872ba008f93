"""`posture export`: what it writes, and that the SQL beside it answers."""

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import duckdb
import pytest
import sqlglot
from sqlglot import exp

from audit_stage import ALICE, TableWriter, format_time, posture, rows
from finding_builders import SCOPE, at, verdict
from posture.model.scope import Scope
from posture.model.verdict import Severity, Status
from posture.model.waiver import Waiver
from posture.rules.control_counts import Check
from posture.store.attribute_values import serialize
from posture.store.scope_record import coverage_fields, passed_fields, record_key
from posture.store.waivers import WaiverTable
from posture_cli.export.datasets import DATASETS
from posture_cli.export.sql import DUCKDB_TYPES, build_athena_statements, list_views
from report_material import matrix
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BYPASS = "gateway-service-bypasses-endpoint"
QUIET = Scope("111122223333", "eu-west-1", "vpc-0b")
PYTHON_TYPES = {"string": str, "bigint": int, "boolean": bool, "array<string>": list}


@pytest.fixture
def writer(dynamodb: "DynamoDBClient") -> TableWriter:
    """Store a life of findings: opened, unknown, resolved, opened again, and a waiver."""
    made = TableWriter(dynamodb)
    bad = verdict(BYPASS, severity=Severity.CRITICAL)
    made.record(0, bad, verdict("endpoint-not-available", "vpce-0f", Status.UNKNOWN))
    made.record(120, verdict("endpoint-not-available", "vpce-0f", Status.UNKNOWN))
    made.record(240, bad, verdict("endpoint-not-available", "vpce-0f", Status.UNKNOWN))
    made.record(250, scope=QUIET)
    key = record_key(SCOPE)
    stored = dynamodb.get_item(TableName=TABLES.findings, Key=key)["Item"]
    checks = frozenset({str(Check("endpoint-security-group-open"))})
    fields = serialize(coverage_fields(matrix(hostile=False)) | passed_fields(checks))
    dynamodb.put_item(TableName=TABLES.findings, Item={**stored, **fields})
    waiver = Waiver(
        "w-1", "endpoint-single-availability-zone", "*", "*", "why", "SEC-1", ALICE, at(0),
        at(60 * 24 * 365 * 20), ALICE, at(0),
    )  # fmt: skip
    WaiverTable(dynamodb, TABLES.baseline, TABLES.history).add(waiver)
    return made


def export(target: object, *arguments: str, code: int = 0) -> Any:
    """Run the command."""
    tables = ("--baseline-table", TABLES.baseline)
    result = posture("export", str(target), *tables, *arguments)
    assert result.exit_code == code, result.stderr or result.exception
    return result


def read(folder: Path, dataset: str) -> list[dict[str, Any]]:
    """Return the rows of a data set."""
    (file,) = (folder / dataset).iterdir()
    assert file.name == "posture-eu-west-1.json.gz"
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def query(folder: Path, statement: str, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Run DuckDB's script in the folder of an export, then a statement."""
    monkeypatch.chdir(folder)
    with duckdb.connect() as database:
        database.execute((folder / "duckdb.sql").read_text(encoding="utf-8"))
        answer = database.execute(statement)
        names = [column[0] for column in answer.description or ()]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


@pytest.mark.usefixtures("writer")
def test_every_row_has_the_columns_of_its_table(tmp_path: Path) -> None:
    """With values of their types, so that no engine reads null for what is there."""
    export(tmp_path)
    for dataset, columns in DATASETS.items():
        rows = read(tmp_path, dataset)
        assert rows, dataset
        for row in rows:
            assert set(row) == set(columns), dataset
            for name, value in row.items():
                assert value is None or type(value) is PYTHON_TYPES[columns[name]], (dataset, name)


@pytest.mark.usefixtures("writer")
def test_the_manifest_says_what_was_exported(tmp_path: Path) -> None:
    """And since when it speaks, and whether the history is intact."""
    result = export(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["rows"] == {name: len(read(tmp_path, name)) for name in DATASETS}
    assert manifest["rows"]["findings"] == 2
    assert manifest["rows"]["history"] == 4
    assert "history begins" in manifest["observed"]
    assert "intact" in manifest["verification"][0]
    assert manifest["faults"] == []
    assert f"wrote {tmp_path}" in result.stderr


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize("view", list_views())
def test_every_view_answers_in_duckdb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str
) -> None:
    """Those that ask for what this network does not have are empty."""
    export(tmp_path)
    found = query(tmp_path, f"SELECT * FROM {view}", monkeypatch)  # noqa: S608
    assert bool(found) == (view != "transient")


@pytest.mark.usefixtures("writer")
def test_views_say_what_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opened it, how long it took, that it came back, and what is not known."""
    export(tmp_path)
    (came_back,) = query(tmp_path, "SELECT * FROM came_back", monkeypatch)
    assert (came_back["resource"], came_back["times"]) == ("subnet-0a", 2)
    (resolved,) = query(tmp_path, "SELECT * FROM time_to_resolve", monkeypatch)
    assert (resolved["rule"], resolved["average_hours"]) == (BYPASS, 2.0)
    steps = query(tmp_path, "SELECT step FROM gateway_service_not_private", monkeypatch)
    assert [row["step"] for row in steps] == ["opened", "resolved", "opened"]
    (unknown,) = query(tmp_path, "SELECT * FROM not_evaluated", monkeypatch)
    assert unknown["resource"] == "vpce-0f"
    (waiver,) = query(tmp_path, "SELECT * FROM accepted_risks", monkeypatch)
    assert (waiver["ticket"], waiver["approved_by"]) == ("SEC-1", ALICE)
    paths = query(tmp_path, "SELECT DISTINCT outcome FROM paths_not_private", monkeypatch)
    assert {row["outcome"] for row in paths} == {"internet", "blocked", "unknown"}


@pytest.mark.usefixtures("writer")
def test_the_view_of_controls_agrees_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No control passes of which a scope was not evaluated."""
    export(tmp_path)
    rows = query(tmp_path, "SELECT * FROM control_states", monkeypatch)
    states = {f"{row['framework']} {row['control']}": row["state"] for row in rows}
    assert states["PCI DSS 4.0.1 1.3.2"] == "fail"
    assert "pass" not in states.values()
    assert sum(row["passed"] for row in rows) > 0


@pytest.mark.usefixtures("writer")
def test_a_past_time_has_the_findings_of_that_time(tmp_path: Path) -> None:
    """And no paths, nor what passed then."""
    export(tmp_path, "--since", format_time(at(60)), "--until", format_time(at(180)))
    assert {row["status"] for row in read(tmp_path, "findings")} == {"unknown", "resolved"}
    assert [row["step"] for row in read(tmp_path, "history")] == ["resolved"]
    assert read(tmp_path, "paths") == []
    assert "passed" not in {row["outcome"] for row in read(tmp_path, "controls")}


@pytest.mark.usefixtures("writer")
def test_it_is_written_to_s3_with_the_statements_for_athena() -> None:
    """The tables are where the objects are."""
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket="evidence-bucket")
    export("s3://evidence-bucket/posture/")
    listed = client.list_objects_v2(Bucket="evidence-bucket")["Contents"]
    keys = {each["Key"].removeprefix("posture/") for each in listed}
    assert {f"{name}/posture-eu-west-1.json.gz" for name in DATASETS} <= keys
    assert {"manifest.json", "duckdb.sql", "athena/01-findings.sql"} <= keys
    body = client.get_object(Bucket="evidence-bucket", Key="posture/athena/01-findings.sql")["Body"]
    assert b"LOCATION 's3://evidence-bucket/posture/findings/'" in body.read()


def test_athena_reads_the_same_columns_as_duckdb() -> None:
    """By the grammar of Athena: its tables in that of Hive, its views in that of Trino."""
    statements = dict(build_athena_statements("s3://evidence-bucket/posture"))
    assert len(statements) == len(DATASETS) + len(list_views()) >= 16
    created = []
    for statement in statements.values():
        (tree,) = sqlglot.parse(statement, dialect="athena")
        assert isinstance(tree, exp.Create)
        created.append(tree.find(exp.Table).name)  # type: ignore[union-attr]
        if tree.kind == "TABLE":
            types = {
                it.name: it.args["kind"].sql("hive").lower() for it in tree.find_all(exp.ColumnDef)
            }
            assert types == dict(DATASETS[created[-1]])
        else:
            (select,) = sqlglot.parse(list_views()[created[-1]], dialect="trino")
            assert {it.name for it in select.find_all(exp.Table)} <= set(DATASETS)  # type: ignore[union-attr]
    assert created == [*DATASETS, *list_views()]
    assert set(DUCKDB_TYPES) == {kind for columns in DATASETS.values() for kind in columns.values()}


@pytest.mark.usefixtures("writer")
def test_altered_history_is_written_and_said(tmp_path: Path, dynamodb: "DynamoDBClient") -> None:
    """With code 1: the rows are evidence, too."""
    row = rows(dynamodb, "history")[0]
    dynamodb.put_item(TableName="history", Item={**row, "summary": {"S": "all is well"}})
    export(tmp_path, code=1)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert any(row["entry"]["S"] in fault for fault in manifest["faults"])
    assert [row["history_intact"] for row in read(tmp_path, "scopes")] == [False, True]


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize(
    ("target", "problem"),
    [("s3://", "expected s3://BUCKET/PREFIX"), ("{file}", "is a file; expected a folder")],
)
def test_a_wrong_target_is_named(tmp_path: Path, target: str, problem: str) -> None:
    """Before anything is read."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = posture("export", target.format(file=tmp_path / "file"))
    assert problem in str(result.exception)


def test_one_actor_is_exported_by_every_form(writer: TableWriter, tmp_path: Path) -> None:
    """Findings, history and waivers; the manifest says that the rest was left out."""
    deploy = "arn:aws:sts::111122223333:assumed-role/Deploy/bob"
    writer.record(300, verdict("no-policy", "vpce-0c"), scope=QUIET, actor=deploy)
    for form in (deploy, "Deploy", "bob"):
        folder = tmp_path / form.replace("/", "_")
        export(folder, "--actor", form, "--as", "opener")
        [found] = read(folder, "findings")
        assert found["resource"] == "vpce-0c"
        assert [row["resource"] for row in read(folder, "history")] == ["vpce-0c"]
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        assert (manifest["actor"], manifest["role"]) == (form, "opener")
        assert not manifest["rows"].get("waivers")
    refused = export(tmp_path / "none", "--actor", "bbo", code=2)
    assert "did you mean bob" in refused.stderr
    assert not (tmp_path / "none/manifest.json").exists()
