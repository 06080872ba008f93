"""`posture policy`: what an endpoint policy really lets through."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.model.baseline import Baseline
from posture.model.scope import Scope
from posture.policy import (
    EndpointContext,
    MalformedPolicyError,
    PolicyCheck,
    Trust,
    decide_policy_text,
)
from posture.policy.decide import PolicyAnswer
from posture_cli import exit_codes as exits
from posture_cli.baseline_file import load_baseline
from posture_cli.command import Verb
from posture_cli.options import BaselineOption, examples
from posture_cli.render.policy import print_decision
from posture_cli.render.records import write_json

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What endpoint policies really let through.",
    short_help="what an endpoint policy really lets through",
)


class Kind(StrEnum):
    """The types of endpoint that take a policy."""

    GATEWAY = "gateway"
    INTERFACE = "interface"


class Form(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


def _of_form(form: str, expected: str, values: list[str] | None, option: str) -> list[str]:
    for value in values or ():
        if not re.fullmatch(form, value):
            raise typer.BadParameter(f"{value!r}: expected {expected}", param_hint=option)
    return values or []


@app.command(
    cls=Verb,
    epilog=examples(
        "posture policy check policy.json --account 111122223333",
        "posture policy check policy.json --account 111122223333 --trusted-org o-a1b2c3d4e5",
        "posture policy check - --account 111122223333 --service s3 --type gateway < policy.json",
        "posture policy check policy.json --account 111122223333 --baseline baseline.yaml -o json",
    ),
)
def check(  # noqa: PLR0913 - one option a fact
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The policy document; - for standard input.")
    ],
    *,
    account: Annotated[
        str | None,
        typer.Option("--account", metavar="ACCOUNT", help="The endpoint's account; it is trusted."),
    ] = None,
    trusted_account: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-account",
            metavar="ACCOUNT",
            help="Another trusted account; repeat for several.",
        ),
    ] = None,
    trusted_org: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-org",
            metavar="ORGANISATION",
            help="A trusted organisation; repeat for several.",
        ),
    ] = None,
    service: Annotated[
        str,
        typer.Option(
            "--service",
            metavar="SERVICE",
            help="The endpoint's service, as in s3 or ecr.dkr, or in full.",
        ),
    ] = "",
    kind: Annotated[Kind, typer.Option("--type", help="The endpoint's type.")] = Kind.INTERFACE,
    vpc: Annotated[
        str | None, typer.Option("--vpc", metavar="VPC", help="The endpoint's VPC.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="ENDPOINT", help="The endpoint's id.")
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Demand a proof of ownership of resources whose names carry no account, as S3's "
            "buckets, and count AWS's own as strangers'.",
        ),
    ] = False,
    baseline: BaselineOption = None,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="How to write the answer.")
    ] = Form.TEXT,
) -> None:
    """Decide what an endpoint policy lets through, with an example of what it should not.

    Is it full access? Does it let in a principal, or reach a resource, outside the trusted accounts
    and organisations? Without any, the endpoint's own account is the only trusted one. Each yes
    comes with a request that would be allowed; what cannot be decided is unknown, with the reason.

    Exit code: 0 when every answer is no, 1 when one is yes, 2 on a mistake, 3 when the rest is
    unknown.
    """
    _of_form(r"\d{12}", "an account of 12 digits", [account] if account else [], "--account")
    _of_form(r"\d{12}", "an account of 12 digits", trusted_account, "--trusted-account")
    _of_form(r"o-[a-z0-9]+", "an organisation id", trusted_org, "--trusted-org")
    _of_form(r"vpc-\w+", "a VPC's id", [vpc] if vpc else [], "--vpc")
    _of_form(r"vpce-\w+", "an endpoint's id", [endpoint] if endpoint else [], "--endpoint")
    context = EndpointContext(account or "", service, kind is Kind.GATEWAY, vpc, endpoint)
    required = _required(baseline, context)
    trust = Trust(
        frozenset(trusted_account or ()) | required.trusted_accounts,
        frozenset(trusted_org or ()) | required.trusted_organizations,
        strict=strict,
    )
    text = _read(file)
    try:
        decided = decide_policy_text(
            text,
            PolicyCheck(context, trust, datetime.now(UTC), required.allowed_actions),
        )
    except MalformedPolicyError as error:
        raise MalformedPolicyError(f"{file}: {error}") from None
    if output is Form.JSON:
        write_json(decided.record())
    else:
        print_decision(decided)
    answers = {finding.answer for finding in decided.decision.findings}
    if PolicyAnswer.YES in answers:
        raise typer.Exit(exits.FINDINGS)
    raise typer.Exit(exits.UNDECIDED if PolicyAnswer.UNKNOWN in answers else exits.CLEAN)


def _required(file: Path | None, context: EndpointContext) -> Baseline:
    document = load_baseline(file) if file else BaselineDocument()
    if not context.account:
        return document.default
    return resolve_baseline(
        document, Scope(context.account, context.region or "", context.vpc_id or ""), {}
    )


def _read(file: str) -> str:
    raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedPolicyError(f"{file}: expected UTF-8: {error}") from None
