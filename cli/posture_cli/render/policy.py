"""A policy's verdict for the person at the terminal."""

from __future__ import annotations

from posture.policy import Answer, Decided, Finding
from posture.policy.descriptions import in_words
from posture_cli.console import answers
from posture_cli.text import printable

TITLES = {
    "full_access": "full access",
    "untrusted_principal": "lets in an untrusted principal",
    "untrusted_resource": "reaches an untrusted resource",
    "disallowed_action": "allows an action outside the allow list",
}
STYLES = {Answer.YES: "bold red", Answer.NO: "green", Answer.UNKNOWN: "magenta"}


def show_decision(decided: Decided) -> None:
    """Write each question with its answer, an example, and where it comes from."""
    console = answers()
    for name, finding in decided.decision.questions.items():
        console.print(f"{finding.answer.value:<8}", style=STYLES[finding.answer], end="")
        console.print(TITLES[name])
        for line in _details(finding, decided):
            console.print(f"        {printable(line)}")
    if decided.decision.allows_nothing:
        console.print("note    no request at all gets through", style="yellow")
    for remark in decided.lints:
        console.print(f"note    {printable(remark.text)} [{remark.id}]", style="yellow")


def _details(finding: Finding, decided: Decided) -> list[str]:
    found: list[str] = []
    if finding.request and finding.answer is Answer.YES:
        found.append(f"for example {in_words(finding.request, decided.policy)}")
        if finding.statement:
            found.append(f"by {finding.statement}, line {finding.statement.line}")
    if finding.answer is Answer.UNKNOWN or (finding.reason and not finding.request):
        found.append(finding.reason)
    found += [
        f"let through on purpose, it seems: {in_words(each, decided.policy)}"
        for each in finding.exceptions
    ]
    return found
