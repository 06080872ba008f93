"""`posture policy`: decides what an endpoint policy allows."""

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posture.baseline.resolve import resolve_baseline
from posture.model.scope import Scope
from posture.policy import (
    DecidedPolicy,
    EndpointContext,
    MalformedPolicyError,
    PolicyAnswer,
    PolicyCheck,
    QuestionResult,
    Trust,
    decide_policy_text,
)
from posture.policy.descriptions import describe_request
from posture_cli import exit_codes, options
from posture_cli.baseline_file import load_baseline
from posture_cli.command import CommandGroup
from posture_cli.console import open_stdout
from posture_cli.options import Output, argument, build_parser, option, output_option
from posture_cli.render.records import write_json
from posture_cli.text import make_printable

_parse_account = build_parser(r"\d{12}", "an account of 12 digits")
_parse_org = build_parser(r"o-[a-z0-9]+", "an organization id, as in o-a1b2c3d4e5")
_parse_vpc = build_parser(r"vpc-\w+", "the id of a VPC, as in vpc-0123456789abcdef0")
_parse_endpoint = build_parser(r"vpce-\w+", "the id of an endpoint, as in vpce-0123456789abcdef0")

TITLES = {
    "full_access": "allows full access",
    "untrusted_principal": "allows an untrusted principal",
    "untrusted_resource": "allows an untrusted resource",
    "disallowed_action": "allows an action that is not in the baseline's allowed_actions",
}
STYLES = {PolicyAnswer.YES: "bold red", PolicyAnswer.NO: "green", PolicyAnswer.UNKNOWN: "magenta"}

app = CommandGroup("What endpoint policies allow.")


class PolicyEndpointType(StrEnum):
    """The types of endpoint that have a policy."""

    GATEWAY = "gateway"
    INTERFACE = "interface"


@app.add(
    "posture policy check policy.json --account 111122223333",
    "posture policy check policy.json --account 111122223333 --trusted-org o-a1b2c3d4e5",
    "posture policy check - --account 111122223333 --service s3 --type gateway < policy.json",
    "posture policy check policy.json --account 111122223333 --baseline baseline.yaml -o json",
)
def check(
    file: Annotated[str, argument("FILE", "The policy document; - for standard input.")],
    *,
    account: Annotated[
        str | None,
        option("ACCOUNT", "The account of the endpoint, which is trusted.", parser=_parse_account),
    ] = None,
    trusted_account: Annotated[
        list[str] | None,
        option("ACCOUNT", "Another trusted account; repeat for several.", parser=_parse_account),
    ] = None,
    trusted_org: Annotated[
        list[str] | None,
        option("ORGANIZATION", "A trusted organization; repeat for several.", parser=_parse_org),
    ] = None,
    service: Annotated[
        str,
        option("SERVICE", "The service of the endpoint, as in s3 or ecr.dkr, or its full name."),
    ] = "",
    kind: Annotated[
        PolicyEndpointType, typer.Option("--type", help="The type of the endpoint.")
    ] = PolicyEndpointType.INTERFACE,
    vpc: Annotated[str | None, option("VPC", "The VPC of the endpoint.", parser=_parse_vpc)] = None,
    endpoint: Annotated[
        str | None, option("ENDPOINT", "The id of the endpoint.", parser=_parse_endpoint)
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Trust a resource whose ARN has no account, as S3 buckets, only if the policy "
            "proves its owner; do not trust resources that AWS owns.",
        ),
    ] = False,
    baseline: options.BaselineOption = None,
    output: Annotated[Output, output_option(Output.TEXT, Output.JSON)] = Output.TEXT,
) -> None:
    """Decide what an endpoint policy allows.

    Does it allow full access? Does it allow a principal or a resource outside the trusted accounts
    and organizations? By default only the account of the endpoint is trusted. Each yes comes with a
    request that the policy allows; each unknown with the reason.

    Exit code: 0 when every answer is no, 1 when one is yes, 2 on error, 3 when none is yes and one
    is unknown.
    """
    context = EndpointContext(
        account or "", service, kind is PolicyEndpointType.GATEWAY, vpc, endpoint
    )
    document = load_baseline(baseline)
    scope = Scope(account or "", context.region or "", vpc or "")
    required = resolve_baseline(document, scope, {}) if account else document.default
    trust = Trust(
        frozenset(trusted_account or ()) | required.trusted_accounts,
        frozenset(trusted_org or ()) | required.trusted_organizations,
        strict=strict,
        own_organization=required.organization,
    )
    asked = PolicyCheck(context, trust, datetime.now(UTC), required.allowed_actions)
    try:
        decided = decide_policy_text(_read(file), asked)
    except MalformedPolicyError as error:
        raise MalformedPolicyError(f"{file}: {error}") from None
    if output is Output.JSON:
        write_json(decided.to_record())
    else:
        print_decision(decided)
    answers = {finding.answer for finding in decided.decision.results.values()}
    if PolicyAnswer.YES in answers:
        raise typer.Exit(exit_codes.FINDINGS)
    if PolicyAnswer.UNKNOWN in answers:
        raise typer.Exit(exit_codes.UNDECIDED)


def _read(file: str) -> str:
    raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedPolicyError(f"expected UTF-8: {error}") from None


def print_decision(decided: DecidedPolicy) -> None:
    """Print each question with its answer, an example request and the statement that allows it."""
    console = open_stdout()
    for name, finding in decided.decision.results.items():
        console.print(f"{finding.answer.value:<8}", style=STYLES[finding.answer], end="")
        console.print(TITLES[name])
        for line in _details(finding, decided):
            console.print(f"        {make_printable(line)}")
    if decided.decision.allows_nothing:
        console.print("note    the policy allows no request", style="yellow")
    for remark in decided.lints:
        console.print(f"note    {make_printable(remark.text)} [{remark.id}]", style="yellow")


def _details(finding: QuestionResult, decided: DecidedPolicy) -> list[str]:
    found: list[str] = []
    if finding.request and finding.answer is PolicyAnswer.YES:
        found.append(f"for example {describe_request(finding.request, decided.policy)}")
        if finding.statement:
            found.append(f"by {finding.statement}, line {finding.statement.line}")
    if finding.answer is PolicyAnswer.UNKNOWN or (finding.reason and not finding.request):
        found.append(finding.reason)
    found += [
        f"probably allowed on purpose: {describe_request(each, decided.policy)}"
        for each in finding.exceptions
    ]
    return found
