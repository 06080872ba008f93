"""`posture finding`: shows one finding with its history."""

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated

from posture.alerts.attributions import describe_attribution
from posture.model.finding import CauseKind, Finding, FindingStatus
from posture.model.instant import format_iso
from posture.store.items import Entry
from posture_cli import options
from posture_cli.audit.open_stacks import open_stacks
from posture_cli.command import CommandGroup
from posture_cli.failure import CommandError
from posture_cli.options import Output, argument, build_parser
from posture_cli.render.findings import (
    ENTRY_CSV,
    build_entry_record,
    build_finding_record,
    list_verdict_lines,
)
from posture_cli.render.records import write_json, write_records
from posture_cli.text import make_printable

_parse_id = build_parser(r"f-[0-9a-f]{20}", "the id of a finding: f- and 20 hexadecimal digits")

app = CommandGroup()


@app.add(
    "posture finding f-0123456789abcdef0123", "posture finding f-0123456789abcdef0123 --output json"
)
def finding(
    id_: Annotated[
        str,
        argument("ID", "The id, as alerts and `posture findings` show it.", parser=_parse_id),
    ],
    *,
    where: options.StacksOptions,
    tables: options.HistoryTableOptions,
    output: options.OutputOption = Output.TABLE,
) -> None:
    """Show one finding: what is wrong, evidence, remediation, who caused it, and its history.

    With several stacks, it is looked up in all of them at the same time.

    Exit code: 0 when it is resolved, 1 when it is not, 2 on error, 4 when one of several stacks
    could not be read.
    """
    stacks = open_stacks(where, tables.named("history"))
    found = stacks.read(lambda it: tuple(it.history.find_by("id", id_)), "looking it up")
    entries = tuple(chain.from_iterable(found))
    if not entries:
        stacks.require_all()
        raise CommandError(f"there is no finding {id_}")
    last = entries[-1].transition.finding
    if output is Output.TABLE:
        sys.stdout.writelines(f"{line}\n" for line in _finding_lines(last, entries))
    elif output is Output.JSON:
        life = [build_entry_record(each) for each in entries]
        write_json({**build_finding_record(last), "life": life})
    else:
        write_records(map(build_entry_record, entries), ENTRY_CSV, output)
    stacks.finish(found=last.status is not FindingStatus.RESOLVED, verbose=tables.verbose)


def _finding_lines(finding: Finding, life: Sequence[Entry]) -> Iterator[str]:
    verdict = finding.verdict
    yield make_printable(f"{finding.severity.upper()}  {finding.status.upper()}  {finding.rule}")
    yield make_printable(verdict.summary)
    yield ""
    for name, value in _facts(finding):
        yield make_printable(f"{name.ljust(11)} {value}")
    yield from list_verdict_lines(verdict)
    yield from ("", "History")
    yield from (make_printable(_format_step(entry)) for entry in life)


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    yield "id", finding.id
    yield "resource", finding.resource
    yield "scope", str(finding.scope)
    yield "opened", format_iso(finding.opened_at)
    yield "opened by", describe_attribution(finding.opened_by)
    version = f" (version {finding.version})" if finding.version else ""  # 0: it was transient
    yield "updated", f"{format_iso(finding.updated_at)}{version}"
    if finding.resolved_by:
        yield "resolved by", describe_attribution(finding.resolved_by)
    elif finding.caused_by != finding.opened_by:
        yield "changed by", describe_attribution(finding.caused_by)
    if (cause := finding.cause) and cause.kind is CauseKind.CALL:
        yield "call", f"{cause.event_name} at {format_iso(cause.time)}, event {cause.event_id}"
        yield "from", f"{cause.source_ip} {cause.user_agent}".strip()


def _format_step(entry: Entry) -> str:
    step, finding = entry.transition, entry.transition.finding
    words = [
        format_iso(entry.observed_at),
        step.step.value.ljust(9),
        finding.severity.value.ljust(8),
    ]
    if step.reason:
        words.append(f"({step.reason})")
    described = [describe_attribution(each) for each in step.attributions if each.possible]
    if described:
        words.append(f"by {' and by '.join(described)}")
    return "  " + " ".join(words)
