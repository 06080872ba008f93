"""Says why a list is empty: nothing matches, or a filter names what cannot exist.

A mistyped filter must not read like a clean bill. What the tables have never seen is an error that
names what they have; what they know, but does not match, is said plainly. Nothing is read for it
unless the list is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain
from typing import TypeVar

import typer

from posture.alerts.rule_texts import load_rule_texts
from posture.model.finding import FindingStatus
from posture.model.scope import Scope
from posture.store.actors import ActorDirectory, KnownActor
from posture_cli.audit.actors import ActorFilter, ActorRole, list_names
from posture_cli.audit.finding_filter import FindingFilter, list_scopes
from posture_cli.audit.open_stacks import OpenStacks
from posture_cli.audit.open_tables import OpenTables
from posture_cli.console import print_note
from posture_cli.failure import CommandError
from posture_cli.suggest import suggest
from posture_cli.text import make_printable

Item = TypeVar("Item")
SEEN = "has never been seen in these tables"


def require_match(
    found: Iterable[Item],
    chosen: FindingFilter,
    stacks: OpenStacks,
    noun: str = "finding",
) -> Iterator[Item]:
    """Return what was found; if it is nothing, say why before anything is written.

    Args:
        found: What the filter matched.
        chosen: The filter.
        stacks: The stacks that were read.
        noun: What is listed.

    Raises:
        typer.BadParameter: A filter names what cannot exist.
        CommandError: The filter is about a time before the first observation.
    """
    remaining = iter(found)
    for first in remaining:
        return chain([first], remaining)
    refuse_unknown(chosen, stacks)
    filters = _describe(chosen)
    ending = f"{noun} has {filters}" if filters else f"{noun} was found"
    where = " in what was read" if stacks.unread else ""
    print_note(f"no match: no {make_printable(ending)}{where}")
    return iter(())


def choose_scopes(
    stacks: OpenStacks, chosen: FindingFilter
) -> list[tuple[OpenTables, Sequence[Scope]]]:
    """List the scopes of each stack that the filter is about.

    Raises:
        typer.BadParameter: A filter names what cannot exist.
        CommandError: There is no such scope.
    """

    def list_of(tables: OpenTables) -> tuple[OpenTables, Sequence[Scope]]:
        return tables, list(list_scopes(tables.findings, chosen))

    listed = stacks.read(list_of, "listing the scopes")
    stacks.require_any()
    if chosen.scope:
        recorded = stacks.read_each(listed, _is_recorded)
        listed = [each for each in listed if each[0] in stacks.opened]
        if not any(recorded):
            refuse_unknown(chosen, stacks)
    if not any(scopes for _, scopes in listed):
        refuse_unknown(chosen, stacks)
        filters = make_printable(_describe(chosen))
        raise CommandError(
            f"no match: no scope has {filters}" if filters else "nothing was evaluated; run a sweep"
        )
    return listed


def _is_recorded(tables: OpenTables, scopes: Iterable[Scope]) -> bool:
    return any(tables.findings.read_records(scopes))


def refuse_unknown(chosen: FindingFilter, stacks: OpenStacks) -> None:
    """Refuse a filter that names what cannot exist, with the nearest names.

    Where a stack could not be read, what was ever seen is not known.

    Raises:
        typer.BadParameter: The tables have never seen what a filter names.
        CommandError: The filter is about a time before the first observation.
    """
    if stacks.unread or not all(it.tables.findings for it in stacks.opened):
        return  # or only another table was named
    known = _KnownValues(stacks)
    if chosen.rule and chosen.rule not in (rules := load_rule_texts()):
        _refuse("--rule", f"there is no rule {chosen.rule!r}{suggest(chosen.rule, rules)}")
    scoped = {
        "--account": (chosen.account, "account", {it.account for it in known.scopes}),
        "--in-region": (chosen.region, "region", {it.region for it in known.scopes}),
        "--vpc": (chosen.vpc, "VPC or endpoint service", {it.subject for it in known.scopes}),
        "--scope": (chosen.scope and str(chosen.scope), "scope", set(map(str, known.scopes))),
    }
    for option, (value, noun, values) in scoped.items():
        if value and value not in values:
            _refuse(option, f"{noun} {value!r} {SEEN}{suggest(value, values)}")
    if chosen.actor:
        _refuse_unknown_actor(chosen.actor, known)
    if chosen.until and all(it.tables.history for it in stacks.opened):
        listed = [
            (it, [*filter(chosen.matches_scope, it.findings.list_scopes())]) for it in stacks.opened
        ]
        stacks.read_period(listed, chosen.until, chosen.until).require_begun(chosen.until)


class _KnownValues:
    """What the tables of stacks have ever seen; it is read when it is first asked for."""

    def __init__(self, stacks: OpenStacks) -> None:
        self._stacks = stacks

    @cached_property
    def scopes(self) -> frozenset[Scope]:
        """Every scope that was ever evaluated."""
        return frozenset(chain.from_iterable(self._stacks.read(lambda it: [*it.list_scopes()])))

    @cached_property
    def actors(self) -> frozenset[KnownActor]:
        """Every actor that caused something."""
        return frozenset(chain.from_iterable(self._stacks.read(load_actors)))


def load_actors(tables: OpenTables) -> frozenset[KnownActor]:
    """Read every actor that caused something.

    Tables that a former version wrote have no directory of actors before the first change that
    this version recorded: there, those of the current findings are known as well.
    """
    history = tables.tables.history  # "" where only the findings table was named
    known = set(ActorDirectory(tables.client, history).load()) if history else set()
    for status in FindingStatus:
        for finding in tables.findings.find_by_status(status):
            for each in (finding.opened_by, finding.resolved_by, finding.caused_by):
                causes = each.possible if each else ()
                known |= {KnownActor(it.actor, it.identity) for it in causes if it.actor}
    return frozenset(known)


def _refuse_unknown_actor(actor: ActorFilter, known: _KnownValues) -> None:
    """Refuse an actor that never caused anything, unless it may be one of a monitored account."""
    if any(actor.matches_actor(each.name, each.identity) for each in known.actors):
        return
    names = {name for each in known.actors for name in list_names(each.name, each.identity) if name}
    if actor.text.startswith("arn:"):
        names = {each for each in names if each.startswith("arn:")}
    nearest = suggest(actor.text, names)
    if actor.account and actor.account in {it.account for it in known.scopes}:
        print_note(f"{make_printable(actor.text)} {SEEN}{make_printable(nearest)}")
        return
    _refuse("--actor", f"{actor.text!r} {SEEN}{nearest}")


def _refuse(option: str, problem: str) -> None:
    raise typer.BadParameter(make_printable(problem), param_hint=f"'{option}'")


def _describe(chosen: FindingFilter) -> str:
    """Describe the filters; "" if there are none."""
    named = {
        "rule": chosen.rule,
        "resource": chosen.resource,
        "account": chosen.account,
        "region": chosen.region,
        "VPC": chosen.vpc,
        "scope": chosen.scope,
        "severity": _join(chosen.severities),
        "status": _join(chosen.statuses),
        "actor": chosen.actor and chosen.actor.text,
        "role": chosen.actor and chosen.role is not ActorRole.ANY and chosen.role,
        "since": chosen.since and _format_time(chosen.since),
        "until": chosen.until and _format_time(chosen.until),
    }
    return ", ".join(f"{name} {value}" for name, value in named.items() if value)


def _join(values: Iterable[str]) -> str:
    return " or ".join(sorted(values))


def _format_time(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
