"""What all commands have in common: their help, and that a repeated option is an error."""

import re

import pytest
from typer.testing import CliRunner

from posture_cli.app import COMMANDS, app
from posture_cli.failure import describe_failure

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


@pytest.mark.parametrize(
    "arguments",
    [
        "scan --region eu-west-1",
        "coverage --region eu-west-1",
        "findings",
        "history --vpc vpc-0a",
        "verify",
        "waiver list",
        "baseline show",
        "redrive changes",
    ],
)
def test_each_command_that_calls_aws_takes_a_profile(
    arguments: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not exist is named, in one sentence."""
    monkeypatch.setenv("AWS_PROFILE", "")  # is restored, whatever the command sets
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    result = CliRunner().invoke(app, [*arguments.split(), "--profile", "nobody-has-this"])
    assert result.exception is not None
    text = describe_failure(result.exception) or result.stderr
    assert "The config profile (nobody-has-this) could not be found" in text


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("posture findings --rule endpoint-single", ["endpoint-single-availability-zone"]),
        ("posture findings --severity hi", ["high"]),
        ("posture scan --output mark", ["markdown"]),
    ],
)
def test_values_are_completed(
    words: str, completed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As bash asks for it."""
    monkeypatch.setenv("_POSTURE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    result = CliRunner().invoke(app, [], prog_name="posture")
    assert result.stdout.split() == completed


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
