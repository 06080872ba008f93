"""The `posture` command: its verbs, and how a mistake ends."""

from __future__ import annotations

import sys

import typer

from posture.errors import PostureError

FINDINGS = 1  # exit code: something was found
MISTAKE = 2  # exit code: the command could not do what was asked

app = typer.Typer(
    name="posture",
    help="By which path does traffic to AWS services leave your VPCs, and who may use it?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def run() -> None:
    """Run the command; what it refuses is a sentence on standard error and exit code 2."""
    try:
        app()
    except PostureError as error:
        sys.stderr.write(f"posture: {error}\n")
        sys.exit(MISTAKE)
