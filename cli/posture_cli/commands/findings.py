"""`posture findings`: what a deployed monitor has found."""

from __future__ import annotations

from typing import Annotated

import typer

from posture.model.finding import FindingStatus
from posture.model.scope import Scope
from posture.model.verdict import Severity
from posture_cli import exits
from posture_cli.options import OutputOption, StackOption, StackRegionOption, examples
from posture_cli.render import findings as shown
from posture_cli.render.records import Output, write

EXAMPLES = examples(
    "posture findings",
    "posture findings --severity critical --severity high",
    "posture findings --vpc vpc-0123456789abcdef0 --output json",
    "posture findings --status resolved --account 111122223333 --output csv",
)
STANDING = (FindingStatus.OPEN, FindingStatus.UNKNOWN)


def findings(  # noqa: PLR0913 - one parameter a filter
    *,
    stack: StackOption = "posture",
    table: Annotated[str | None, typer.Option(help="The findings table, if not a stack's.")] = None,
    region: StackRegionOption = None,
    status: Annotated[
        list[FindingStatus] | None, typer.Option(help="Repeat for several; default: not resolved.")
    ] = None,
    severity: Annotated[list[Severity] | None, typer.Option(help="Repeat for several.")] = None,
    rule: Annotated[str | None, typer.Option(help="The id of a rule.")] = None,
    resource: Annotated[str | None, typer.Option(help="The id of a resource.")] = None,
    account: Annotated[str | None, typer.Option(help="An account, twelve digits.")] = None,
    vpc: Annotated[str | None, typer.Option(help="A VPC.")] = None,
    scope: Annotated[
        str | None, typer.Option(help="A scope as alerts name it: ACCOUNT/REGION/VPC.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List what the deployed monitor has found, the worst first.

    Exit code: 0 when nothing is listed, 1 when something is, 2 on a mistake.
    """
    from posture_cli import deployed  # noqa: PLC0415 - boto3 would slow every other verb down

    name = table or deployed.output_of(stack, "FindingsTableName", region)
    wanted = deployed.Wanted(
        statuses=frozenset(status or STANDING),
        severities=frozenset(severity or ()),
        rule=rule,
        resource=resource,
        account=account,
        vpc=vpc,
        scope=_scope(scope),
    )
    found = sorted(
        deployed.findings(deployed.dynamodb(region), name, wanted),
        key=lambda finding: (finding.severity.rank, str(finding.scope), finding.rule, finding.id),
    )
    columns = shown.FINDING_CSV if output is Output.CSV else shown.FINDING_COLUMNS
    write([shown.finding_record(finding) for finding in found], columns, output)
    raise typer.Exit(exits.FINDINGS if found else exits.CLEAN)


def _scope(text: str | None) -> str | None:
    """Check a scope before anything is read."""
    try:
        return str(Scope.parse(text)) if text else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scope") from None
