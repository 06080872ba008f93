"""`posture schema` prints what the tests validate against."""

import json

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from alert_schemas import load_schema
from posture_cli.app import app


@pytest.mark.parametrize("name", ["alert", "finding-event"])
def test_a_schema_is_printed_as_it_is(name: str) -> None:
    """It is a JSON Schema, and describes each field."""
    result = CliRunner().invoke(app, ["schema", name])
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    Draft202012Validator.check_schema(schema)
    assert schema == load_schema(name)


def test_an_unknown_name_is_a_mistake() -> None:
    """The error names those that exist."""
    result = CliRunner().invoke(app, ["schema", "alarm"])
    assert result.exit_code == 2
    assert "'alert', 'finding-event'" in result.stderr
