"""PartiQL in the emulator: what DynamoDB makes of a SELECT."""

from collections.abc import Sequence
from typing import Any

import pytest

from posture_cli.embedded.partiql import PartiqlError, is_select, translate_select


def translate(statement: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    """Translate a statement about a table with the keys a and b, and an index with c and d."""

    def keys_of(table: str, index: str | None) -> Sequence[str]:
        assert table == "t-1"
        return ("c", "d") if index else ("a", "b")

    return translate_select(statement, parameters, keys_of)


def test_a_statement_that_names_the_key_is_a_query() -> None:
    """The condition on the key is told apart from the others."""
    request = translate(
        """SELECT "x", y.z FROM "t-1"."i-1"
        WHERE "status" <> 'it''s' AND "c" = 'k' AND begins_with("d", '2026') AND n >= 3;"""
    )
    assert request == {
        "TableName": "t-1",
        "IndexName": "i-1",
        "ProjectionExpression": "#n0, #n1.#n2",
        "KeyConditionExpression": "#n4 = :v1 AND begins_with(#n5, :v2)",
        "FilterExpression": "#n3 <> :v0 AND #n6 >= :v3",
        "ExpressionAttributeNames": {
            "#n0": "x", "#n1": "y", "#n2": "z", "#n3": "status", "#n4": "c", "#n5": "d", "#n6": "n",
        },
        "ExpressionAttributeValues": {
            ":v0": {"S": "it's"}, ":v1": {"S": "k"}, ":v2": {"S": "2026"}, ":v3": {"N": "3"},
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "key", "rest"),
    [
        ("b = 'x'", None, "#n0 = :v0"),
        ("a = 'x' OR a = 'y'", None, "(#n0 = :v0) OR (#n0 = :v1)"),
        ("a = 'x' AND b BETWEEN '1' AND '2'", "#n0 = :v0 AND #n1 BETWEEN :v1 AND :v2", None),
        ("a = 'x' AND b IN ['1', '2']", "#n0 = :v0", "#n1 IN (:v1, :v2)"),
        ("a = ? AND (b = 'x' OR c IS MISSING)", "#n0 = :v0", None),
        ("a = 'x' AND c IS NOT MISSING", "#n0 = :v0", "attribute_exists(#n1)"),
        ("a = 'x' AND NOT contains(c, 'y')", "#n0 = :v0", "NOT (contains(#n1, :v1))"),
        ("a = 'x' AND size(c) > 2 AND d = true", "#n0 = :v0", "size(#n1) > :v1 AND #n2 = :v2"),
    ],
)
def test_conditions(condition: str, key: str | None, rest: str | None) -> None:
    """What is on the key, and what filters."""
    request = translate(f'SELECT * FROM "t-1" WHERE {condition}', {"S": "p"})  # noqa: S608
    assert request.get("KeyConditionExpression") == key
    if rest is not None or "OR" not in condition:
        assert request.get("FilterExpression") == rest
    assert "ProjectionExpression" not in request


def test_rows_are_ordered_by_the_sort_key() -> None:
    """The only order that DynamoDB has."""
    request = translate("""SELECT * FROM "t-1" WHERE a = 'x' ORDER BY b DESC""")
    assert request["ScanIndexForward"] is False
    with pytest.raises(PartiqlError, match="ORDER BY takes a key"):
        translate("""SELECT * FROM "t-1" WHERE a = 'x' ORDER BY c""")


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("SELECT", "expected a name, got the end"),
        ("SELECT * WHERE a = 'x'", "expected FROM, got WHERE"),
        ('SELECT * FROM "t-1" WHERE a', "expected a comparison, got the end"),
        ('SELECT * FROM "t-1" WHERE a = "x"', "expected a value, got x"),
        ('SELECT * FROM "t-1" WHERE a = ?', "expected a value"),
        ("""SELECT * FROM "t-1" WHERE a = 'x""", "unexpected 'x"),
        ("""SELECT * FROM "t-1" WHERE a = 'x' LIMIT 3""", "unexpected LIMIT"),
    ],
)
def test_mistakes_are_named(statement: str, problem: str) -> None:
    """DynamoDB has no LIMIT clause, and takes names in double quotes for names only."""
    with pytest.raises(PartiqlError, match=problem):
        translate(statement)


def test_only_reads_are_translated() -> None:
    """The rest is left to the emulator."""
    assert is_select(" select * from t")
    assert not is_select("INSERT INTO t VALUE {'a': 'x'}")
