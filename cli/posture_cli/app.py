"""The `posture` command: its list of commands, each of which is imported when it is called."""

import os
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

# The commands in the order of the help; the code of each is in the module of the same name.
COMMANDS = {
    "demo": "run the whole monitor on this machine: no AWS account needed",
    "emulate": "serve an emulated AWS with the stack, for sam local and boto3",
    "scan": "evaluate VPCs and endpoint services now, read-only",
    "coverage": "show the path from each subnet to each AWS service",
    "explain": "explain one path: the routes, names and rules that decide it",
    "network": "show which VPCs use the endpoints of others, and where paths break",
    "what-if": "show what a change would do, before it is made",
    "fix": "apply the proven remediation of a finding, after you confirm it",
    "snapshot": "save the network to a file, which other commands read",
    "plan": "show what a Terraform or CloudFormation deployment would do",
    "redrive": "retry what the monitor could not process",
    "replay": "read CloudTrail files as the monitor does",
    "findings": "list the findings of a deployed monitor",
    "finding": "show one finding: evidence, remediation, cause and history",
    "history": "list what changed, when and by whom",
    "diff": "compare the findings of two times",
    "report": "write the posture as one HTML page",
    "export": "write findings, history and paths as JSON lines, for SQL",
    "verify": "check that the history and the findings were not altered",
    "tables": "restore the tables, or let a new stack take over those of a deleted one",
    "baseline": "show, validate and apply what your organization requires",
    "members": "list, add, remove and release the member accounts in the table",
    "waiver": "accept a risk for a limited time: add, approve, list, revoke",
    "policy": "decide what an endpoint policy allows",
    "controls": "count what passes and fails each control of PCI DSS, NIST, SOC 2 …",
    "rules": "list the rules",
    "schema": "print the JSON Schema of alerts and events",
    "events": "list the calls that the monitor handles, and those that it ignores",
}


class _LazyGroup(TyperGroup):
    """Imports a command when it is called, so that none waits for what others import."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature of click
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as above
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        group = get_group(import_module(f"posture_cli.commands.{cmd_name.replace('-', '_')}").app)
        group.name = cmd_name
        return group.commands.get(cmd_name, group)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as above
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    name="posture",
    cls=_LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        from posture_cli.project_files import read_commit  # noqa: PLC0415 - no other call needs it

        commit = read_commit()
        built = f" (commit {commit})" if commit else ""
        typer.echo(f"posture {version('vpc-endpoint-posture')}{built}")
        raise typer.Exit


@app.callback()
def posture(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Check by which path traffic from your VPCs reaches AWS services, and who may use it."""
    # The AWS CLI and every SDK except boto3 read AWS_REGION, and prefer it.
    if region := os.environ.get("AWS_REGION"):
        os.environ["AWS_DEFAULT_REGION"] = region
