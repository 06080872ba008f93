"""What all commands have in common: their help, and that a repeated option is an error."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posture_cli.app import COMMANDS, app
from posture_cli.completion import list_accounts, remember_accounts
from posture_cli.failure import describe_failure

SETTINGS = """
[profile audit]
role_arn = arn:aws:iam::111122223333:role/Audit
[profile sso]
sso_account_id = 444455556666
"""
GROUPS = {
    "baseline": ("example", "validate", "show", "apply"),
    "waiver": ("add", "approve", "revoke", "list"),
    "snapshot": ("save",),
    "policy": ("check",),
    "tables": ("restore", "adopt"),
    "members": ("list", "add", "remove", "release"),
}


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ("redrive --region eu-west-1 --region us-east-1", "--region"),
        ("redrive --region eu-west-1 -r us-east-1", "--region"),
        ("findings --rule a --rule=b", "--rule"),
        ("members add 111111111111 --stack one --stack two", "--stack"),
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
        ("posture scan --region eu-cen", ["eu-central-1", "eu-central-2"]),
        ("posture findings --account 1111", ["111122223333", "111144445555"]),
        ("posture scan --accounts 4", ["444455556666"]),
        ("posture findings --profile au", ["audit"]),
    ],
)
def test_values_are_completed(
    words: str, completed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As bash asks for it; accounts are those of earlier commands and of the AWS settings."""
    settings = tmp_path / "config"
    settings.write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    remember_accounts(["111144445555", "777788889999"])
    monkeypatch.setenv("_POSTURE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    result = CliRunner().invoke(app, [], prog_name="posture")
    assert result.stdout.split() == completed


def test_a_cache_that_cannot_be_used_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Completion then knows what the settings name, which may be nothing."""
    folder = tmp_path / "file"
    folder.write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    settings = tmp_path / "config"
    settings.write_bytes(b"[profile audit\nnothing\xff")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(settings))
    remember_accounts(["111122223333"])
    assert list_accounts("") == []


@pytest.mark.parametrize("command", ["redrive", "baseline show", "members remove 111111111111"])
def test_what_is_of_one_stack_takes_one_region(command: str) -> None:
    """A change is not made in every region there is."""
    result = CliRunner().invoke(app, [*command.split(), "--region", "all"])
    assert result.exit_code == 2
    assert "this command is about the stack of one Region" in " ".join(result.stderr.split())


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
