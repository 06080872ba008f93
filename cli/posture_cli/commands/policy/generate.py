"""`posture policy generate`: the least policy that needs pass, proven to let in nothing else."""

import difflib
from collections.abc import Iterator
from typing import Annotated

import typer

from posture.model.service_names import short_name
from posture.policy import PolicyCheck
from posture.policy.features.table import read_features
from posture.policy.generate import GeneratedPolicy, PolicyConflictError, generate_policy
from posture.policy.needs import NeedStatement, NeedStatus
from posture.policy.needs.descriptions import describe_result
from posture.policy.service_actions import is_customer_service
from posture_cli import exit_codes
from posture_cli.command import CommandGroup
from posture_cli.commands.policy.context import PolicyOptions
from posture_cli.console import open_stderr, open_stdout, print_note
from posture_cli.options import Output, output_option
from posture_cli.render.policy_formats import (
    PolicyPlace,
    format_cloudformation,
    format_command,
    format_terraform,
)
from posture_cli.text import make_printable

FORMATS = (Output.TEXT, Output.JSON, Output.CLI, Output.TERRAFORM, Output.CLOUDFORMATION)
COMMENTED = frozenset({Output.TERRAFORM, Output.CLOUDFORMATION})


def register(app: CommandGroup) -> None:
    """Add the command to its group."""
    app.add(
        "posture policy generate --service s3 --region eu-west-1 --needs ecr,ssm,amazon-linux "
        "--trusted-org o-a1b2c3d4e5",
        "posture policy generate --service ecr.api --region eu-west-1 --needs eks "
        "--account 111122223333 -o terraform",
        "posture policy generate --service s3 --region eu-west-1 --needs ecr --only-needs "
        "--trusted-org o-a1b2c3d4e5 -o cloudformation",
        "posture policy generate --service s3 --vpc vpc-0123456789abcdef0 --baseline baseline.yaml "
        "-o cli",
    )(generate)


def generate(
    *,
    policy: PolicyOptions,
    only_needs: Annotated[
        bool,
        typer.Option(
            "--only-needs",
            help="Leave out what trusted principals may do on trusted resources, unless a "
            "feature needs it.",
        ),
    ] = False,
    output: Annotated[Output, output_option(*FORMATS)] = Output.TEXT,
) -> None:
    """Generate the least endpoint policy that the features you name need.

    Trusted principals may use trusted resources, with the --allowed-actions if there are any. Each
    further statement is there for a need, and the output says for which. Before it is printed, the
    policy is proven: it allows no untrusted principal, no untrusted resource and no action that is
    not allowed; and every request of the features passes, asked with its true signer.

    Formats: text; json, the document alone; cli, the AWS CLI command; terraform; cloudformation.

    Exit code: 0 when it is proven, 1 when there is no such policy: the conflict is printed, 2 on
    error, 3 when it is not known whether a request passes.
    """
    if not policy.service:
        raise typer.BadParameter("name the service of the endpoint: --service")
    check = policy.build_check()
    _require_known(check, policy)
    if not check.endpoint.requested_region:
        raise typer.BadParameter(
            "the names of AWS's resources hold the region of the endpoint: use --region"
        )
    trust = check.trust.with_account(check.endpoint.account)
    if not (trust.accounts or trust.organizations):
        raise typer.BadParameter("say whom to trust: --account, --trusted-org or --baseline")
    try:
        found = generate_policy(check, only_needs=only_needs)
    except PolicyConflictError as error:
        for conflict in error.conflicts:
            open_stderr().print(f"no such policy: {make_printable(conflict)}")
        raise typer.Exit(exit_codes.FINDINGS) from None
    write_generated(found, check, output)
    for each in found.unproven:
        print_note(f"not proven: {make_printable(describe_result(each))}")
    if found.unproven:
        raise typer.Exit(exit_codes.UNDECIDED)


def _require_known(check: PolicyCheck, policy: PolicyOptions) -> None:
    """Refuse a name that was not read from AWS and that is of no service."""
    name = check.endpoint.service
    if policy.vpc or check.endpoint.action_prefixes or is_customer_service(name):
        return
    known = sorted({each.endpoint for one in read_features().values() for each in one.requests})
    close = difflib.get_close_matches(short_name(name), known, n=3)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise typer.BadParameter(
        f"there is no service {policy.service!r} whose actions are known{hint}"
    )


def write_generated(found: GeneratedPolicy, check: PolicyCheck, output: Output) -> None:
    """Write a policy in a format, with the reasons as comments or on standard error."""
    endpoint = check.endpoint
    place = PolicyPlace(
        endpoint.service,
        endpoint.gateway,
        endpoint.vpc_id or "",
        endpoint.endpoint_id or "",
        endpoint.region or "",
    )
    comments = [_explain(each) for each in found.statements]
    console = open_stdout() if output is Output.TEXT else open_stderr()
    if output not in COMMENTED:
        for line in _describe(found, check, comments):
            console.print(make_printable(line), soft_wrap=True)
    text = {
        Output.TERRAFORM: lambda: format_terraform(found.document, place, comments),
        Output.CLOUDFORMATION: lambda: format_cloudformation(found.document, place, comments),
        Output.CLI: lambda: format_command(found.document, place) + "\n",
    }.get(output, lambda: found.text + "\n")()
    typer.echo(text, nl=False)


def _describe(found: GeneratedPolicy, check: PolicyCheck, comments: list[str]) -> Iterator[str]:
    passing = [each for each in found.results if each.status is NeedStatus.PASSES]
    yield (
        f"policy for the endpoint of {short_name(check.endpoint.service)}, proven: it allows no "
        "untrusted principal, no untrusted resource"
        + (" and no other action" if check.allowed_actions else "")
    )
    for number, comment in enumerate(comments, 1):
        yield f"{number}. {comment}"
    for each in passing:
        yield f"passes: {describe_result(each)}"


def _explain(statement: NeedStatement) -> str:
    """Return a line: the reason of a statement, and the features that need it."""
    purposes: dict[str, dict[str, None]] = {}
    for each in statement.needs:
        purposes.setdefault(each.title, {})[each.purpose] = None
    needs = "; ".join(f"{title} ({', '.join(each)})" for title, each in purposes.items())
    needed = f". For {needs}" if needs else ""
    return f"{statement.statement['Sid']}: {statement.reason}{needed}."
