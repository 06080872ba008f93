"""Describes what a command does to a scope, in sentences for people. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from posture.model.service_names import short_name
from posture.model.verdict import Status, Verdict
from posture.remedies.cells import CellChange, LostRoute
from posture.remedies.effect import Effect, VerdictChange
from posture.rules.evidence import join_names, summarize_addresses

MAX_NAMES = 6  # resources or findings that a sentence names
RESOLVES_THIS = "resolves this"
OPENS_NOTHING = "opens nothing"


def describe_proof(effect: Effect, assumptions: Sequence[str] = ()) -> str:
    """Describe what a proven command does; the same for every finding that it resolves.

    Args:
        effect: What it does.
        assumptions: What is not known and without which EC2 refuses the command, as clauses.
    """
    condition = f", provided that {join_names(assumptions)}" if assumptions else ""
    resolved, opened = effect.resolved, [*effect.opened, *(it.after for it in effect.worsened)]
    resolves = (
        RESOLVES_THIS
        if len(resolved) == 1
        else f"resolves {len(resolved)} findings ({_list_findings(resolved)})"
    )
    if not opened:
        return f"{resolves}; {OPENS_NOTHING}{condition}"
    severities = join_names(dict.fromkeys(each.severity.value for each in opened))
    noun = "finding" if len(opened) == 1 else "findings"
    return (
        f"{resolves}; opens {len(opened)} {noun} of severity {severities} "
        f"({_list_findings(opened)}){condition}"
    )


def describe_lost_cells(subject: str, cells: Sequence[CellChange]) -> str:
    """Describe which subnets a command would cut off from a service, and by what."""
    first = cells[0]
    service, after = short_name(first.service), first.after
    subnets = _shorten([each.subnet_id for each in cells if each.service == first.service])
    why = after.summary if after else "it is gone"
    return f"{subject} would take the path of {subnets} to {service}: {service} {why}"


def describe_lost_routes(subject: str, routes: Sequence[LostRoute]) -> str:
    """Describe which subnets would have no route any more, and to where."""
    first = routes[0]
    subnets = _shorten([it.subnet_id for it in routes if it.addresses == first.addresses])
    return (
        f"{subject} would leave {subnets} without a route to {summarize_addresses(first.addresses)}"
    )


def describe_opened(subject: str, opened: Verdict) -> str:
    """Describe a finding that a command would open."""
    if opened.status is Status.UNKNOWN:
        return f"the effect of {subject} on {opened.rule} is not known: {opened.summary}"
    return f"{subject} would open {_name(opened)}: {opened.summary}"


def describe_worsened(subject: str, change: VerdictChange) -> str:
    """Describe a finding that a command would make worse."""
    facts = " ".join(change.added) or f"{change.after.summary}."
    return f"{subject} would make {_name(change.after)} worse: {facts.rstrip('.')}"


def describe_unresolved(subject: str, after: Verdict | None) -> str:
    """Describe that a command does not resolve the finding that it is meant for."""
    if after is not None and after.status is Status.UNKNOWN:
        return f"whether {subject} resolves this is not known: {after.summary}"
    why = f": {after.summary}" if after else ""
    return f"{subject} would not resolve this{why}"


def _name(verdict: Verdict) -> str:
    return f"{verdict.rule} ({verdict.severity.value}) on {verdict.resource}"


def _list_findings(verdicts: Iterable[Verdict]) -> str:
    """List findings by rule, with the resources of each."""
    by_rule: dict[str, list[str]] = defaultdict(list)
    for each in verdicts:
        by_rule[each.rule].append(each.resource)
    return _shorten([f"{rule} on {_shorten(names)}" for rule, names in by_rule.items()], "; ")


def _shorten(names: Sequence[str], separator: str = "") -> str:
    """Join names, and count those that are too many."""
    names = list(dict.fromkeys(names))
    if len(names) > MAX_NAMES:
        names = [*names[: MAX_NAMES - 1], f"{len(names) - MAX_NAMES + 1} more"]
    return separator.join(names) if separator else join_names(names)
