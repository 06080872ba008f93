"""Writes the records of several stacks as one table: with their Regions, and what was not read."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from posture.model.scope import Region
from posture.model.verdict import Evidence, Status, Verdict
from posture.rules.rule_catalogue import ACCESS_RULES
from posture_cli.audit.open_stacks import OpenStacks, UnreadStack
from posture_cli.console import print_note
from posture_cli.options import Output
from posture_cli.render.findings import build_verdict_record
from posture_cli.render.records import Record, write_records

PLACES = ("account", "region")
WITHOUT_FINDING = dict.fromkeys(
    (
        "id", "version", "opened_at", "opened_by", "resolved_at", "resolved_by", "updated_at",
        "actor", "cause",
    )
)  # fmt: skip
(ACCESS_RULE,) = ACCESS_RULES


def describe_unread(unread: UnreadStack) -> str:
    """Describe in a sentence that a stack was not read, and what that means."""
    missing = "what is not listed here may exist" if unread.partly else "nothing of it is listed"
    return f"The {unread}: {missing}"


def build_unread_record(unread: UnreadStack, account: str) -> dict[str, Any]:
    """Build the record that stands for a stack that was not read: unknown is never a pass."""
    verdict = Verdict(
        rule=ACCESS_RULE.id,
        resource=account or unread.region,
        status=Status.UNKNOWN,
        severity=ACCESS_RULE.severity,
        summary=describe_unread(unread),
        evidence=(Evidence(unread.reason, {"reason": unread.reason, "stack": unread.stack}),),
    )
    return WITHOUT_FINDING | build_verdict_record(Region(account, unread.region).scope, verdict)


def build_unread_entry(
    unread: UnreadStack, columns: Iterable[str], status: str, reason: str
) -> dict[str, Any]:
    """Build the row of these columns that stands for a stack that was not read.

    Args:
        unread: The stack.
        columns: The columns; those that are not known are None.
        status: The column that is `unknown`.
        reason: The column that says why.
    """
    return {
        **dict.fromkeys(columns),
        status: Status.UNKNOWN.value,
        reason: f"{describe_unread(unread)}: {unread.reason}",
        "stack": unread.stack,
        "region": unread.region,
    }


@dataclass(frozen=True, slots=True)
class RecordKind:
    """What records are, and how to tell those of several stacks apart.

    Attributes:
        columns: The columns of a table of a single stack.
        csv_columns: Those of CSV.
        noun: What a record is called.
        unread: Fields of the record of a stack that was not read.
        build_unread: Builds its other fields, from the stack and the account of the stacks.
        places: The columns that tell the stacks apart, and before which column they stand.
        before: That column.
    """

    columns: Sequence[str]
    csv_columns: Sequence[str]
    noun: str = "finding"
    unread: Mapping[str, str] = field(default_factory=dict)
    build_unread: Callable[[UnreadStack, str], Record] = build_unread_record
    places: Sequence[str] = PLACES
    before: str = "vpc"

    @property
    def placed_columns(self) -> Sequence[str]:
        """The columns of a table of several stacks."""
        added = [each for each in self.places if each not in self.columns]
        at = self.columns.index(self.before)
        return (*self.columns[:at], *added, *self.columns[at:])


def write_stack_records(
    stacks: OpenStacks, records: Iterable[Record], kind: RecordKind, output: Output
) -> int:
    """Write the records of stacks as they come.

    With several stacks a table shows the accounts and Regions, a record of its own stands for each
    stack that was not read, and the totals follow on standard error.

    Args:
        stacks: The stacks; what fails while the records are read is known afterwards.
        records: The records, with `account` and `region`.
        kind: What they are; its columns are those of a single stack.
        output: The format.

    Returns:
        The number of records, without those of stacks that were not read.
    """
    if not stacks.several:
        return write_records(records, kind.columns, output, kind.csv_columns)
    counts: Counter[str] = Counter()

    def collect() -> Iterator[Record]:
        for record in records:
            counts[record["region"]] += 1
            yield record
        for each in stacks.unread:
            yield {**kind.build_unread(each, stacks.account), **kind.unread}

    write_records(collect(), kind.placed_columns, output, kind.csv_columns)
    print_note(describe_totals(counts, stacks, kind.noun))
    return counts.total()


def describe_totals(counts: Counter[str], stacks: OpenStacks, noun: str) -> str:
    """Describe how many records each Region has, also those that have none."""
    total = counts.total()
    what = f"1 {noun}" if total == 1 else f"{total:,} {noun}s"
    regions = {each.region: 0 for each in stacks.opened} | counts
    by_region = ", ".join(f"{name} {number:,}" for name, number in sorted(regions.items()))
    return f"{what}: {by_region}" if by_region else what
