"""Every command line on the pages and in the help is one that the command accepts.

It is parsed as the shell and the command parse it: a verb, an option or a value that does not exist
is an error. What the commands then do is tested where they are.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer._click.exceptions import MissingParameter, UsageError
from typer.main import get_command

from posture_cli.app import COMMANDS, app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/*.md", "events/*.md")
    for page in ROOT.glob(pattern)
    if page.name != "CHANGELOG.md"
)
FENCED = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?posture [^`]+)`")
STARTS = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?posture (.*)")
# What stands for a value on a page, with a value that the option takes.
STANDS_FOR = {
    "ID": f"f-{'0' * 20}",
    "SUBNET": "subnet-0a",
    "SERVICE": "s3",
    "FILE…": "file",
    "VPC": "vpc-0a",
    "T1": "2026-09-01",
    "T2": "2026-09-30",
    "TIME": "2026-09-30",
}


def join_lines(text: str) -> str:
    """Join a line that ends with a backslash with the next one."""
    return re.sub(r"\\\n\s*", "", text)


def find_lines(text: str) -> Iterator[str]:
    """Find the command lines of a page: in blocks of code, and those in a sentence with options."""
    for block in FENCED.findall(text):
        lines = join_lines(block).splitlines()
        yield from (found[1] for line in lines if (found := STARTS.match(line.strip())))
    for inline in INLINE.findall(FENCED.sub("", text)):
        if found := STARTS.match(inline):
            yield found[1].replace("\\|", "|")


def split(line: str) -> list[str]:
    """Split a command line as a shell does; what follows a pipe, > or # is no part of it."""
    words = shlex.shlex(
        re.sub(r"\$\(.*?\)", "111122223333", line), posix=True, punctuation_chars="|;&<>"
    )
    words.whitespace_split = True
    words.commenters = "#"
    arguments: list[str] = []
    for word in words:
        if set(word) <= set("|;&<>"):
            break
        arguments.append(STANDS_FOR.get(word, word))
    return arguments


def list_examples() -> Iterator[str]:
    """List the examples in the help of every command."""
    root: Any = get_command(app)
    context = typer.Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        for each in getattr(command, "commands", {name: command}).values():
            for line in join_lines(each.epilog or "").splitlines():
                if found := STARTS.match(line.strip()):
                    yield found[1]


LINES = sorted({line for page in PAGES for line in find_lines(page.read_text(encoding="utf-8"))})
EXAMPLES = sorted(set(list_examples()))


def parse(line: str) -> None:
    """Parse a command line without running the command.

    Raises:
        UsageError: The command does not accept it.
    """
    command: Any = get_command(app)
    context = None
    name, arguments = "posture", split(line)
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        remaining = [*context._protected_args, *context.args]
        if not hasattr(command, "get_command") or not remaining:
            return
        name, command, arguments = command.resolve_command(context, remaining)


def is_a_mention(line: str) -> bool:
    """Whether a page only names a verb, or shows the form of its arguments."""
    words = line.split()
    return len(words) == 1 or any(mark in line for mark in ("[", "…", "STACK", "FINDING", " NAME"))


def parse_mention(line: str) -> None:
    """Parse a command line that may end before what an option or the command needs."""
    try:
        parse(line)
    except (typer.BadParameter, UsageError) as error:
        if "requires an argument" not in str(error) and not isinstance(error, MissingParameter):
            raise


@pytest.mark.parametrize("line", [line for line in LINES if not is_a_mention(line)])
def test_a_command_on_a_page_is_accepted(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its parser."""
    monkeypatch.setenv("AWS_PROFILE", "")
    parse_mention(line)


@pytest.mark.parametrize("line", EXAMPLES)
def test_an_example_of_the_help_is_accepted(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its parser."""
    monkeypatch.setenv("AWS_PROFILE", "")
    parse(line)


def test_there_are_commands_to_test() -> None:
    """And one that is wrong is found."""
    assert len(LINES) > 40
    assert len(EXAMPLES) > 80
    for wrong in ("findings --severe high", "scan --region europe", "findings --severity severe"):
        with pytest.raises(Exception, match=r"(?i)no such option|is not"):
            parse(wrong)
