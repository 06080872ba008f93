"""The stacks that a command reads: one, or several Regions' at once. One that fails is named.

With one stack an error ends the command. With several the others are shown, and the one that could
not be read is named in the result, on standard error and by an exit code of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from itertools import chain, islice, product
from typing import TypeVar

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from posture.errors import PostureError
from posture.model.scope import Scope
from posture_cli import exit_codes
from posture_cli.accounts import find_caller, list_regions
from posture_cli.audit.observed import ObservedPeriod, read_observed
from posture_cli.audit.open_tables import OpenTables, open_tables
from posture_cli.console import print_note
from posture_cli.deployed import StackNotFoundError, find_caller_arn
from posture_cli.failure import CommandError, describe_failure
from posture_cli.options import EVERY_REGION, StacksOptions
from posture_cli.progress import show_progress

AT_ONCE = 12  # stacks that are read at the same time
PART = 200  # findings or rows that are read ahead of each stack
SCOPES = 4  # scopes with all their rows, likewise
NAMED = 5  # regions without a stack that a note names; more are counted
EXPECTED = (PostureError, ClientError, BotoCoreError)

Item = TypeVar("Item")
Result = TypeVar("Result")
Argument = TypeVar("Argument")
_Part = Future[tuple[list[Item], Exception | None]]
Place = tuple[str, str | None]  # a stack and its Region
Listed = Sequence[tuple[OpenTables, Sequence[Scope]]]  # stacks, each with scopes


@dataclass(frozen=True, slots=True)
class UnreadStack:
    """A stack that could not be read, or not to the end (`partly`), and why."""

    stack: str
    region: str
    reason: str
    partly: bool = False

    def __str__(self) -> str:
        """Return the fact as a clause, without the reason."""
        return f"stack {self.stack} in {self.region} was not read{' to the end' * self.partly}"


class OpenStacks:
    """The stacks of a command; those that fail move from `opened` to `unread`."""

    def __init__(
        self,
        opened: Sequence[OpenTables],
        unread: Sequence[UnreadStack] = (),
        absent: Sequence[str] = (),
        *,
        several: bool = False,
    ) -> None:
        self.opened = list(opened)
        self.unread = list(unread)
        self.absent = absent
        self.several = several
        self._meters = [each.meter for each in opened]

    @cached_property
    def account(self) -> str:
        """The account of the stacks, which is the caller's; "" if it cannot be found out."""
        region = next(iter(self.opened)).region if self.opened else None
        try:
            return find_caller_arn(region).split(":")[4]
        except EXPECTED:
            return ""

    def read(
        self, function: Callable[[OpenTables], Result], text: str = "reading the stacks"
    ) -> list[Result]:
        """Read all stacks at once; see `read_each`."""
        return self.read_each([(it, None) for it in self.opened], lambda it, _: function(it), text)

    def read_each(
        self,
        arguments: Iterable[tuple[OpenTables, Argument]],
        function: Callable[[OpenTables, Argument], Result],
        text: str = "reading the stacks",
    ) -> list[Result]:
        """Call a function for stacks, some at once.

        Args:
            arguments: The stacks, each with the second argument of the function.
            function: Reads a stack, in a thread of its own if there are several.
            text: What is shown on a terminal meanwhile.

        Returns:
            The results in the order of the stacks; there is none of a stack that failed.
        """
        wanted = list(arguments)
        results = []
        with show_progress(text, "stacks", len(wanted)) as progress:
            if not self.several:
                return [function(tables, value) for tables, value in wanted]
            pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stack")
            try:
                reading = [(it, pool.submit(function, it, value)) for it, value in wanted]
                for tables, future in reading:
                    try:
                        results.append(future.result())
                    except EXPECTED as error:
                        self._leave_out(tables, error)
                    progress.advance()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        return results

    def take_turns(self, function: Callable[[OpenTables], Iterator[Item]]) -> Iterator[Item]:
        """Iterate over the scopes of all stacks at once, one scope of each in turn."""
        remaining = deque(self.stream(function, SCOPES))
        while remaining:
            each = remaining.popleft()
            for item in islice(each, 1):
                yield item
                remaining.append(each)

    def stream(
        self, function: Callable[[OpenTables], Iterator[Item]], size: int = PART
    ) -> list[Iterator[Item]]:
        """Iterate over all stacks at once, each at most two parts of `size` items ahead.

        So memory is bounded, and nothing waits for the slowest stack before it is needed. What a
        stack yields before it fails is kept.
        """
        if not self.several:
            return [function(each) for each in self.opened]
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stack")  # ends with its last user
        found = [(each, _iterate(function, each)) for each in self.opened]
        parts = [(tables, partial(pool.submit, _take, items, size)) for tables, items in found]
        begun = [(tables, begin, begin()) for tables, begin in parts]
        return [self._read_ahead(*each) for each in begun]

    def _read_ahead(
        self, tables: OpenTables, begin: Callable[[], _Part[Item]], ahead: _Part[Item]
    ) -> Iterator[Item]:
        yielded = False
        while True:
            part, error = ahead.result()
            if part and not error:
                ahead = begin()
            yield from part
            yielded = yielded or bool(part)
            if error:
                self._leave_out(tables, error, partly=yielded)
            if error or not part:
                return

    def _leave_out(self, tables: OpenTables, error: Exception, *, partly: bool = False) -> None:
        """Move a stack that failed to those that were not read."""
        if tables in self.opened:
            self.opened.remove(tables)
            self.unread.append(_build_unread(tables.stack, tables.region, error, partly=partly))

    def read_period(self, listed: Listed, since: datetime, until: datetime) -> ObservedPeriod:
        """Read when scopes were first and last observed.

        Args:
            listed: The stacks, each with its scopes.
            since: The start of the period.
            until: Its end; the start again for an instant.
        """
        observed = self.read_each(
            listed,
            lambda tables, scopes: tuple(read_observed(tables, scopes, since)),
            "reading when the scopes were observed",
        )
        return ObservedPeriod(since, until, tuple(chain.from_iterable(observed)))

    def require_any(self) -> None:
        """Refuse to answer if no stack could be read.

        Raises:
            CommandError: None could; the message has the reasons.
        """
        if not self.opened and self.unread:
            raise CommandError("; ".join(f"{it}: {it.reason}" for it in self.unread))

    def require_all(self) -> None:
        """Refuse to answer if a stack could not be read.

        Raises:
            CommandError: One could not; the message has the reasons.
        """
        if self.unread:
            raise CommandError("; ".join(f"{it}: {it.reason}" for it in self.unread))

    def finish(self, *, found: bool, verbose: bool) -> None:
        """Print what was read and what was not, and end the command.

        Args:
            found: Whether something was found, as in the exit code 1.
            verbose: Whether to print the cost.

        Raises:
            typer.Exit: Something was found, or a stack could not be read.
        """
        if verbose:
            units = sum(each.units for each in self._meters)
            requests = sum(each.requests for each in self._meters)
            print_note(f"read {units:g} read units in {requests} requests")
        if self.absent:
            more = f" and {len(self.absent) - NAMED} more" if len(self.absent) > NAMED else ""
            print_note(f"not monitored: no such stack in {', '.join(self.absent[:NAMED])}{more}")
        for each in self.unread:
            print_note(f"{each}: {each.reason}")
        if self.unread:
            raise typer.Exit(exit_codes.UNREAD)
        if found:
            raise typer.Exit(exit_codes.FINDINGS)


def open_stacks(where: StacksOptions, named: Mapping[str, str | None]) -> OpenStacks:
    """Open the tables of the stacks that the options name, several at once.

    Args:
        where: The stacks and Regions: each stack is read in each Region.
        named: The tables that are needed, each with the table to use instead of the stacks'.

    Raises:
        CommandError: A single stack, or none of several, can be opened.
        typer.BadParameter: Every Region is asked for, but tables are named instead of a stack.
    """
    regions = tuple(dict.fromkeys(where.region or (None,)))
    stacks = tuple(dict.fromkeys(where.stack or ("posture",)))
    everywhere = EVERY_REGION in regions
    if everywhere and all(named.values()):
        raise typer.BadParameter("all finds stacks by their name; leave out the names of tables")
    required = frozenset(regions) - {EVERY_REGION}  # their stacks must be there
    if everywhere:
        caller = find_caller((EVERY_REGION,))
        regions = tuple(sorted({*list_regions(caller.session, caller.home), *required}, key=str))
    places = list(product(stacks, regions))
    if len(places) == 1 and not everywhere:
        [(stack, region)] = places
        return OpenStacks([open_tables(stack, region, named)])
    return _open_several(places, named, required)


def _open_several(
    places: Sequence[Place], named: Mapping[str, str | None], required: frozenset[str | None]
) -> OpenStacks:
    """Open the stacks that exist; one that was not asked for by its Region may be absent."""
    opened, unread, absent = [], [], []
    session = boto3.Session()
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="stack")
    try:
        with show_progress("finding the stacks", "regions", len(places)) as progress:
            opening = [(each, pool.submit(open_tables, *each, named, session)) for each in places]
            for (stack, region), future in opening:
                try:
                    opened.append(future.result())
                except EXPECTED as error:
                    if region not in required and isinstance(error, StackNotFoundError):
                        absent.append(str(region))
                    else:
                        unread.append(_build_unread(stack, region, error))
                progress.advance()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    found = {it.region for it in opened} | {it.region for it in unread}
    missing = sorted({*absent} - found)
    stacks = OpenStacks(opened, unread, missing, several=True)
    stacks.require_any()
    if not opened:
        names = ", ".join(sorted({stack for stack, _ in places}))
        raise StackNotFoundError(f"there is no stack {names!r} in any enabled Region")
    return stacks


def _build_unread(
    stack: str, region: str | None, error: Exception, *, partly: bool = False
) -> UnreadStack:
    name = region or boto3.Session().region_name or "the default region"
    return UnreadStack(stack, name, describe_failure(error) or str(error), partly)


def _iterate(
    function: Callable[[OpenTables], Iterator[Item]], tables: OpenTables
) -> Iterator[Item]:
    """Call the function when its first item is taken: what it reads before is read in a thread."""
    yield from function(tables)


def _take(items: Iterator[Item], size: int) -> tuple[list[Item], Exception | None]:
    """Take the next part of what a stack yields, with the error that ended it early."""
    part: list[Item] = []
    try:
        for each in islice(items, size):
            part.append(each)  # noqa: PERF402 - what was read before an error stays
    except EXPECTED as error:
        return part, error
    return part, None
