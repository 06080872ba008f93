"""Parsing of policy documents, and the errors for texts that AWS rejects.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture.policy import MalformedPolicyError, parse_policy
from posture.policy.json_reader import JsonNode, read_json

ALLOW: dict[str, Any] = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}


def plain(node: JsonNode) -> Any:
    """Return the value of a node, as the standard library does."""
    if node.kind == "object":
        return {member.name: plain(member.value) for member in node.members}
    if node.kind == "array":
        return [plain(each) for each in node.items]
    return json.loads(str(node.value)) if node.kind == "number" else node.value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON, st.sampled_from([None, 2]))
def test_json_is_read_as_the_standard_library_reads_it(value: Any, indent: int | None) -> None:
    """The values are the same."""
    assert plain(read_json(json.dumps(value, indent=indent))) == value


@given(st.text(alphabet='{}[]":, truefalsn0123456789\\\n', max_size=30))
def test_invalid_json_is_an_error_as_in_the_standard_library(text: str) -> None:
    """The error names the position."""
    try:
        json.loads(text)
    except ValueError:
        with pytest.raises(MalformedPolicyError, match="line"):
            read_json(text)
    else:
        read_json(text)


def test_scalars_stand_for_lists() -> None:
    """A single value is a list of one, for all elements."""
    listed = {
        "Effect": "Allow",
        "Principal": {"AWS": ["111122223333"]},
        "Action": ["s3:*"],
        "Resource": ["*"],
        "Condition": {"StringEquals": {"aws:x": ["1"]}},
    }
    scalar = {
        "Effect": "Allow",
        "Principal": {"AWS": "111122223333"},
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:x": 1}},
    }
    one, other = (
        parse_policy(json.dumps({"Statement": [listed]})),
        parse_policy(json.dumps({"Statement": scalar})),
    )
    assert one == other


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: expected a JSON value"),
        ("{}", "line 1, column 1: the document has no Statement"),
        ('{"Statement": []} x', "line 1, column 19: expected the end"),
        ('{"Statement": [],}', "line 1, column 18: expected a name"),
        (
            '{"statement": []}',
            "line 1, column 2: statement: expected one of Version, Id, Statement",
        ),
        ('{"statement": []}', "names are case-sensitive, write Statement"),
        ('{"Version": "2013", "Statement": []}', "Version: expected 2008-10-17 or 2012-10-17"),
        ('{\n "Statement": ["x"]\n}', "line 2, column 16: expected a statement as an object"),
        ("[" * 40, "nested more than 16 levels deep"),
    ],
)
def test_an_error_names_the_position(text: str, message: str) -> None:
    """It names line, column and what was expected."""
    with pytest.raises(MalformedPolicyError) as raised:
        parse_policy(text)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Effect": None}, "the statement has no Effect"),
        ({"Effect": "allow"}, "Effect: expected Allow or Deny, case-sensitive"),
        ({"Principal": None}, "expected Principal or NotPrincipal"),
        ({"Principal": "111122223333"}, 'Principal: expected "*" or an object'),
        ({"Principal": {"Aws": "*"}}, "names are case-sensitive, write AWS"),
        ({"NotPrincipal": "*"}, "a statement cannot have both Principal and NotPrincipal"),
        ({"Action": None}, "expected Action or NotAction"),
        ({"Action": "GetObject"}, "expected SERVICE:ACTION, got 'GetObject'"),
        ({"Action": [1]}, "Action: expected a string, got number"),
        ({"Resource": None}, "expected Resource or NotResource"),
        ({"Resource": "bucket"}, "expected an ARN or *, got 'bucket'"),
        ({"Condition": []}, "expected Condition as an object, got array"),
        ({"Condition": {"StringEquals": "x"}}, "expected StringEquals as an object"),
        ({"Condition": {"StringEquals": {"aws:x": None}}}, "aws:x: expected a value, got null"),
        ({"Conditions": {}}, "Conditions: expected one of Sid"),
    ],
)
def test_a_statement_that_aws_rejects(change: dict[str, Any], message: str) -> None:
    """The error names the element and what was expected."""
    dropped = [name for name, each in change.items() if each is None]
    kept = {name: each for name, each in {**ALLOW, **change}.items() if name not in dropped}
    with pytest.raises(MalformedPolicyError) as raised:
        parse_policy(json.dumps({"Statement": kept}))
    assert message in str(raised.value)


def test_the_longest_policy() -> None:
    """20,480 characters are accepted, one more is an error."""
    text = json.dumps({"Statement": ALLOW}).ljust(20_480)
    assert len(parse_policy(text).statements) == 1
    with pytest.raises(MalformedPolicyError, match="20481 characters, the maximum is 20480"):
        parse_policy(text + " ")


def test_names_that_appear_twice_are_noted() -> None:
    """The caller chooses which of them is used."""
    text = '{"Statement": {"Effect": "Deny", "Effect": "Allow", "Principal": "*", "Action": "*",\n'
    text += '"Resource": "*"}}'
    assert parse_policy(text).statements[0].allows
    assert not parse_policy(text, keep="first").statements[0].allows
    assert [(each.name, each.line) for each in parse_policy(text).duplicates] == [("Effect", 1)]
