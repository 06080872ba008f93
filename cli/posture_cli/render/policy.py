"""Prints what was decided about an endpoint policy."""

from __future__ import annotations

from posture.policy import DecidedPolicy, PolicyAnswer, QuestionResult
from posture.policy.descriptions import describe_request
from posture_cli.console import open_stdout
from posture_cli.text import make_printable

TITLES = {
    "full_access": "allows full access",
    "untrusted_principal": "allows an untrusted principal",
    "untrusted_resource": "allows an untrusted resource",
    "disallowed_action": "allows an action that is not in the baseline's allowed_actions",
}
STYLES = {PolicyAnswer.YES: "bold red", PolicyAnswer.NO: "green", PolicyAnswer.UNKNOWN: "magenta"}


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
