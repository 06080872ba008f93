"""Runs the `posture` command in this process."""

from typer.testing import CliRunner, Result

from posture_cli.app import app


def posture(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, list(arguments))
