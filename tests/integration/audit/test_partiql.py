"""The ready statements of docs/data-model.md, run as they stand there.

That an index is there, and has the key that the statement names, is asked of the tables as well.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from audit_stage import ALICE, TableWriter
from finding_builders import SCOPE, at, opened, verdict
from posture.changes.batch import RejectedRecord
from posture.model.finding import Attribution, Cause, Step, Transition, finding_id
from posture.model.verdict import Severity
from posture.model.waiver import Waiver
from posture.store.rejections import Rejections
from posture.store.waivers import WaiverTable
from posture_cli.embedded.moto_patches import patch_moto
from stack_tables import INDEXES, KEYS, TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BOB = "arn:aws:iam::111122223333:user/bob"
PAGE = Path(__file__).parents[3] / "docs/data-model.md"
STATEMENTS = re.findall(r"```sql\n(.+?)```", PAGE.read_text(), re.DOTALL)
FORM = re.compile(
    r'SELECT (?P<columns>.+?) FROM "posture-(?P<table>\w+)"(\."(?P<index>[\w-]+)")?\s+'
    r'WHERE "(?P<key>\w+)" = \'(?P<value>[^\']+)\'(?P<rest>.*)',
    re.DOTALL,
)
ID = finding_id(SCOPE, "gateway-service-bypasses-endpoint", "subnet-0a")


@pytest.fixture(autouse=True)
def _life(dynamodb: "DynamoDBClient") -> None:
    """Something of everything that the statements ask for."""
    patch_moto()
    writer = TableWriter(dynamodb)
    bad = verdict("gateway-service-bypasses-endpoint", severity=Severity.CRITICAL)
    writer.record(0, bad, verdict("no-policy", "vpce-0a"))
    writer.record(5, bad)
    (several,) = opened(verdict("single-az", "vpce-0b"), minute=6)
    calls = tuple(
        Cause("e-2", "DeleteRoute", actor, at(5), identity="source identity carol")
        for actor in (ALICE, BOB)
    )
    finding = replace(several.finding, caused_by=Attribution(candidates=calls))
    writer.write(SCOPE, [Transition(Step.OPENED, finding)], at(6))
    waiver = Waiver("w-1", bad.rule, "*", "a/*", "why", "SEC-1", ALICE, at(0), at(60), ALICE, at(0))
    WaiverTable(dynamodb, TABLES.baseline, TABLES.history).add(waiver)
    Rejections(dynamodb, TABLES.history).keep(RejectedRecord("m-1", "no time", "{}"), at(1))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_answers(dynamodb: "DynamoDBClient", statement: str) -> None:
    """Something comes back, and each column that was asked for is in it."""
    found = FORM.fullmatch(statement.strip())
    assert found
    expected = statement.replace("f-0123456789abcdef0123", ID)
    expected = expected.replace('"posture-', '"')
    rows = dynamodb.execute_statement(Statement=expected)["Items"]
    assert rows
    if found["columns"] != "*":
        columns = re.findall(r'"(\w+)"', found["columns"])
        seen: set[str] = set().union(*(row.keys() for row in rows))
        assert set(columns) <= seen


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_names_the_key_of_what_it_reads(statement: str) -> None:
    """So nothing is scanned."""
    found: Any = FORM.fullmatch(statement.strip())
    index = found["index"]
    key = INDEXES[found["table"]][index] if index else KEYS[found["table"]]
    assert found["key"] == key[0]
    ranges = re.findall(r'begins_with\("(\w+)"', found["rest"])
    assert set(ranges) <= {key[1]}


def test_there_are_statements_for_every_index_that_people_use() -> None:
    """Whatever can be asked by a key has an example; two indexes are there for lists of scopes."""
    asked = {found["index"] for it in STATEMENTS if (found := FORM.fullmatch(it.strip()))}
    offered = {*INDEXES["findings"], *INDEXES["history"]} - {"by-region", "all-scopes"}
    assert offered <= asked
