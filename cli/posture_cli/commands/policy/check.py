"""`posture policy check`: decides what an endpoint policy allows, and what it would stop."""

from typing import Annotated

import typer

from posture.policy import (
    DecidedPolicy,
    MalformedPolicyError,
    PolicyAnswer,
    QuestionResult,
    decide_policy_text,
)
from posture.policy.descriptions import describe_request
from posture.policy.needs import NeedResult, NeedStatus, Use, check_needs, list_needs
from posture.policy.needs.descriptions import build_need_record, describe_result
from posture_cli import exit_codes
from posture_cli.command import CommandGroup
from posture_cli.commands.policy.context import PolicyOptions
from posture_cli.commands.policy.document import read_policy
from posture_cli.console import open_stdout
from posture_cli.options import Output, argument, output_option
from posture_cli.render.records import write_json
from posture_cli.text import make_printable

TITLES = {
    "full_access": "allows full access",
    "untrusted_principal": "allows an untrusted principal",
    "untrusted_resource": "allows an untrusted resource",
    "disallowed_action": "allows an action that allowed_actions does not list",
}
STYLES = {PolicyAnswer.YES: "bold red", PolicyAnswer.NO: "green", PolicyAnswer.UNKNOWN: "magenta"}
NEED_STYLES = {
    NeedStatus.BLOCKED: "bold red",
    NeedStatus.PASSES: "green",
    NeedStatus.UNKNOWN: "magenta",
}


def register(app: CommandGroup) -> None:
    """Add the command to its group."""
    app.add(
        "posture policy check policy.json --account 111122223333",
        "posture policy check policy.json --account 111122223333 --trusted-org o-a1b2c3d4e5",
        "posture policy check - --account 111122223333 --service s3 --type gateway < policy.json",
        "posture policy check policy.json --account 111122223333 --baseline baseline.yaml -o json",
        "posture policy check policy.json --service s3 --region eu-west-1 "
        "--account 111122223333 --needs ecr,ssm,amazon-linux",
        "posture policy check policy.json --service s3 --vpc vpc-0123456789abcdef0 "
        "--baseline baseline.yaml",
    )(check)


def check(
    file: Annotated[str, argument("FILE", "The policy document; - for standard input.")],
    *,
    policy: PolicyOptions,
    output: Annotated[Output, output_option(Output.TEXT, Output.JSON)] = Output.TEXT,
) -> None:
    """Decide what an endpoint policy allows, and what it would stop.

    Does it allow full access? Does it allow a principal or a resource outside the trusted accounts
    and organizations? By default only the account of the endpoint is trusted. Each yes comes with a
    request that the policy allows; each unknown with the reason.

    With --needs, or with a baseline that requires services: which requests of AWS features would
    it stop? Each is asked with its true signer: image layers of Amazon ECR are read with a URL that
    an account of AWS presigned, repositories of Amazon Linux without a signature.

    What only some users of a feature need, such as an older version of it, is a note.

    Exit code: 0 when every answer is no and every need passes, 1 when an answer is yes or a need is
    stopped, 2 on error, 3 when otherwise one is unknown. Notes do not count.
    """
    asked = policy.build_check()
    text = read_policy(file)
    try:
        decided = decide_policy_text(text, asked)
    except MalformedPolicyError as error:
        raise MalformedPolicyError(f"{file}: {error}") from None
    needs = check_needs(decided.policy, list_needs(asked.features, asked.endpoint), asked)
    if output is Output.JSON:
        record = decided.to_record()
        write_json({**record, "needs": list(map(build_need_record, needs))} if needs else record)
    else:
        print_decision(decided)
        print_needs(needs)
    answers = {finding.answer for finding in decided.decision.results.values()}
    statuses = {each.status for each in needs if each.need.use is Use.ALWAYS}
    if PolicyAnswer.YES in answers or NeedStatus.BLOCKED in statuses:
        raise typer.Exit(exit_codes.FINDINGS)
    if PolicyAnswer.UNKNOWN in answers or NeedStatus.UNKNOWN in statuses:
        raise typer.Exit(exit_codes.UNDECIDED)


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


def print_needs(results: tuple[NeedResult, ...]) -> None:
    """Print whether each need passes; those that are stopped first."""
    console = open_stdout()
    order = list(NEED_STYLES)
    for each in sorted(results, key=lambda it: order.index(it.status)):
        is_note = each.status is not NeedStatus.PASSES and each.need.use is not Use.ALWAYS
        label, style = ("note", "yellow") if is_note else (each.status, NEED_STYLES[each.status])
        console.print(f"{label:<8}", style=style, end="")
        console.print(make_printable(describe_result(each)))


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
