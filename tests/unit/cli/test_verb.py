"""An option that holds one value is not given several of which all but the last are lost."""

import pytest
from typer.testing import CliRunner

from posture_cli.app import app


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ("report --html page.html --region eu-west-1 --region us-east-1", "--region"),
        ("history --region eu-west-1 -r us-east-1", "--region"),
        ("findings --rule a --rule=b", "--rule"),
        ("waiver list --stack one --stack two", "--stack"),
        ("policy check - --vpc vpc-1 --vpc vpc-2", "--vpc"),
        ("baseline show --table one --table two", "--table"),
    ],
)
def test_a_repeated_option_is_a_mistake(arguments: str, option: str) -> None:
    """It is named, before anything is read; exit 2."""
    result = CliRunner().invoke(app, arguments.split())
    assert result.exit_code == 2
    assert f"'{option}'" in result.stderr
    assert "given 2 times; it takes one value" in result.stderr


@pytest.mark.parametrize("arguments", ["rules --output csv", "rules -o csv", "rules"])
def test_options_that_are_given_once_are_fine(arguments: str) -> None:
    """In each of their spellings."""
    assert CliRunner().invoke(app, arguments.split()).exit_code == 0


def test_a_repeated_flag_loses_nothing() -> None:
    """Said twice it says the same."""
    result = CliRunner().invoke(app, ["demo", "--help", "--help"])
    assert result.exit_code == 0
