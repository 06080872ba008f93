"""What all commands have in common: their help, and that a repeated option is an error."""

import re

import pytest
from typer.testing import CliRunner

from posture_cli.app import COMMANDS, app

GROUPS = {
    "baseline": ("example", "validate", "show", "apply"),
    "waiver": ("add", "approve", "revoke", "list"),
    "snapshot": ("save",),
    "policy": ("check",),
}


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


ALL_COMMANDS = [
    *(each for each in COMMANDS if each not in GROUPS),
    *(f"{group} {name}" for group, commands in GROUPS.items() for name in commands),
]


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_help_names_what_each_option_holds(command: str) -> None:
    """And shows how it is called."""
    expected = CliRunner().invoke(app, [*command.split(), "--help"]).stdout
    assert re.findall(r"^ +-.*<(?:str|list|path|int|float).*", expected, re.MULTILINE) == []
    assert f"    posture {command}" in expected


def test_the_list_of_verbs_is_not_cut() -> None:
    """Each says on its line what it is for."""
    assert "..." not in CliRunner().invoke(app, ["--help"]).stdout.partition("Commands:")[2]
