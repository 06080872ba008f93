"""Shows what `posture fix` would do and what it did."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from posture.model.instant import format_iso
from posture_cli.comparison.records import build_comparison_record
from posture_cli.comparison.write import write_comparison
from posture_cli.fix.calls import Made, list_calls
from posture_cli.fix.network import Proposal, describe_changes, name_done
from posture_cli.fix.subject import Subject
from posture_cli.options import Output
from posture_cli.render.findings import build_verdict_record, list_verdict_lines
from posture_cli.render.records import write_json
from posture_cli.text import make_printable


class Outcome(StrEnum):
    """What became of the finding."""

    PROPOSED = "proposed"  # --dry-run
    DECLINED = "declined"
    FAILED = "failed"  # a call was refused
    NOT_RESOLVED = "not-resolved"  # within the time
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Result:
    """What was done for a finding; without a proposal it was resolved before.

    `left` holds the commands that were not run because a call failed.
    """

    subject: Subject
    outcome: Outcome
    proposal: Proposal | None = None
    made: Sequence[Made] = ()
    left: Sequence[str] = ()


def show_proposal(subject: Subject, proposal: Proposal) -> None:
    """Show a person the finding, its remediation and what it does."""
    sys.stdout.writelines(f"{line}\n" for line in _list_lines(subject, proposal))
    write_comparison(proposal.effect, Output.TABLE)
    sys.stdout.flush()


def _list_lines(subject: Subject, proposal: Proposal) -> Iterator[str]:
    verdict = proposal.verdict
    yield make_printable(f"{verdict.severity.upper()}  {verdict.status.upper()}  {verdict.rule}")
    yield make_printable(verdict.summary)
    yield ""
    yield make_printable(f"id         {subject.id}")
    yield make_printable(f"resource   {subject.resource}")
    yield make_printable(f"scope      {subject.scope}")
    yield f"read       {format_iso(proposal.network.snapshot.observed_at)}"
    yield from list_verdict_lines(verdict)
    yield ""
    if subject.recorded:
        recorded = subject.recorded
        changes = tuple(describe_changes(recorded.verdict, verdict))
        if changes:
            yield f"Changed since it was recorded at {format_iso(recorded.updated_at)}"
            yield from (make_printable(f"  - {each}") for each in changes)
            yield ""
    if proposal.foreign:
        yield f"Calls of other accounts: {'; '.join(proposal.foreign)}"
        yield ""
    if proposal.done:
        yield f"Done already, and left out: {name_done(proposal.done)}"
        yield ""


def write_result(result: Result) -> None:
    """Write one JSON document about what was done."""
    subject, proposal = result.subject, result.proposal
    record: dict[str, Any] = {
        "id": subject.id,
        "rule": subject.rule,
        "resource": subject.resource,
        "scope": str(subject.scope),
        "outcome": result.outcome.value,
        "made": [{"operation": each.operation, "created": each.created} for each in result.made],
        "left": list(result.left),
    }
    if proposal:
        record |= {
            "finding": build_verdict_record(subject.scope, proposal.verdict),
            "calls": [
                {
                    "operation": each.operation,
                    "parameters": dict(each.parameters),
                    "creates": each.creates,
                    "account": account,
                }
                for each, account in zip(list_calls(proposal.edits), proposal.accounts, strict=True)
            ],
            "effect": build_comparison_record(proposal.effect),
        }
    write_json(record)
