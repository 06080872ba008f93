"""Builds the records of a comparison. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from posture.analysis.addresses import AddressSet
from posture.analysis.coverage import Cell
from posture.lifecycle.bounds import bound_verdict
from posture.model.scope import Scope
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Severity, Status, Verdict
from posture.remedies.cells import CellChange, LostRoute
from posture.rules.contexts import VpcContext
from posture.rules.rule import Family, Rule
from posture_cli.comparison.charges import Charge, ChargesComparison
from posture_cli.comparison.compare import Comparison, ScopeComparison
from posture_cli.interchange import ScopedVerdict
from posture_cli.render.findings import build_verdict_record

Json = dict[str, Any]

NAMED = 4  # subnets or networks that a line names
# Stands for the paths that a change loses in formats that know findings only.
PATH_LOST: Rule[VpcContext] = Rule(
    id="path-lost",
    title="A change loses a path",
    requirement="A change keeps the paths from subnets to AWS services and to other networks",
    family=Family.PATHS,
    severity=Severity.HIGH,
    rationale="Workloads that use the path stop working, or their traffic takes a public path.",
    remediation="Change the plan so that the path stays, or accept the loss.",
    evaluate=lambda _: (),
    reads=frozenset(),
)


def build_comparison_record(comparison: Comparison) -> Json:
    """Build one JSON document."""
    return {
        "worse": comparison.is_worse,
        "unchanged": comparison.unchanged,
        "exempt": [str(each) for each in comparison.exempt],
        "notes": list(comparison.notes),
        "scopes": [_build_scope(each) for each in comparison.scopes],
    }


def _build_scope(it: ScopeComparison) -> Json:
    effect, scope = it.effect, it.scope
    return {
        "scope": str(scope),
        "account": scope.account,
        "region": scope.region,
        "vpc": scope.vpc_id,
        "subject": scope.subject,
        "change": it.kind.value,
        "worse": it.is_worse,
        "opened": [_build_verdict(scope, each) for each in effect.opened],
        "resolved": [_build_verdict(scope, each) for each in effect.resolved],
        "changed": [
            {
                "worse": each.is_worse,
                "before": _build_verdict(scope, each.before),
                "after": _build_verdict(scope, each.after),
            }
            for each in effect.changed
        ],
        "paths": [_build_cell_change(each, it.names) for each in effect.cells],
        "lost_routes": [
            {
                "subnet": each.subnet_id,
                "routes": list(it.former_routes.get(each.subnet_id, ())),
                "addresses": list(map(str, each.addresses.networks())),
            }
            for each in effect.lost_routes
        ],
        "charges": _build_charges(it.charges),
    }


def _build_verdict(scope: Scope, verdict: Verdict) -> Json:
    """Build the record of a verdict, as long as one that is stored, without an unproven command.

    A command could name what does not exist yet, and the change itself is still to be decided.
    """
    return build_verdict_record(scope, bound_verdict(verdict.drop_unproven_command()))


def _build_cell_change(change: CellChange, names: Mapping[str, str]) -> Json:
    return {
        "subnet": change.subnet_id,
        "name": names.get(change.subnet_id, ""),
        "service": change.service,
        "before": _build_cell(change.before),
        "after": _build_cell(change.after),
        "lost": change.is_lost,
    }


def _build_cell(cell: Cell | None) -> Json | None:
    return {"outcome": cell.outcome.value, "summary": cell.summary} if cell else None


def _build_charges(charges: ChargesComparison) -> Json:
    return {
        "dollars_a_month": {
            "before": format_dollars(charges.before),
            "after": format_dollars(charges.after),
        },
        "changed": list(build_charge_rows(charges)),
        "unknown": list(charges.unknown),
        "prices": list(charges.prices),
    }


def format_dollars(dollars: Decimal | None) -> str:
    """Format an amount; "unknown" if it is not known."""
    return "unknown" if dollars is None else f"{dollars:.2f}"


def build_finding_rows(it: ScopeComparison, verdicts: Sequence[Verdict]) -> list[Json]:
    """Build the rows of findings."""
    return [_build_verdict(it.scope, each) for each in verdicts]


def build_changed_rows(it: ScopeComparison) -> Iterator[Json]:
    """Build the rows of findings that stay, with another status or severity."""
    for each in it.effect.changed:
        yield {
            **_build_verdict(it.scope, each.after),
            "before": f"{each.before.severity} {each.before.status}",
            "after": f"{each.after.severity} {each.after.status}",
        }


def build_path_rows(it: ScopeComparison) -> Iterator[Json]:
    """Build the rows of cells that differ, one for all subnets with the same difference."""
    found: dict[tuple[str, str, str, bool], list[str]] = {}
    for each in it.effect.cells:
        key = each.service, _describe_cell(each.before), _describe_cell(each.after), each.is_lost
        found.setdefault(key, []).append(_name_subnet(each.subnet_id, it.names))
    for (service, before, after, lost), subnets in found.items():
        yield {
            "service": short_name(service),
            "subnets": join_some(subnets),
            "before": before,
            "after": after,
            "lost": "lost" if lost else "",
        }


def build_route_rows(it: ScopeComparison) -> Iterator[Json]:
    """Build the rows of other addresses that subnets no longer have a route to."""
    found: dict[str, list[str]] = {}
    for each in it.effect.lost_routes:
        subnet = _name_subnet(each.subnet_id, it.names)
        found.setdefault(_describe_lost(it, each), []).append(subnet)
    yield from ({"subnets": join_some(each), "routes": routes} for routes, each in found.items())


def build_charge_rows(charges: ChargesComparison) -> Iterator[Json]:
    """Build the rows of charges that differ."""
    for before, after in charges.changed:
        there = after or before
        if there:
            yield {
                "resource": there.resource,
                "before": _format_charge(before),
                "after": _format_charge(after),
                "assumes": there.assumes,
            }


def list_worse_verdicts(comparison: Comparison) -> list[ScopedVerdict]:
    """List the findings that open or become worse, and as findings, too, the paths that are lost.

    Formats for code scanning and tests know nothing else.
    """
    return [pair for it in comparison.scopes for pair in _list_worse(it)]


def list_passes(comparison: Comparison) -> list[ScopedVerdict]:
    """List what passes after the change."""
    return [
        (it.scope, each)
        for it in comparison.scopes
        for each in it.verdicts
        if each.status is Status.PASS
    ]


def _list_worse(it: ScopeComparison) -> Iterator[ScopedVerdict]:
    for verdict in (*it.effect.opened, *(each.after for each in it.effect.worsened)):
        yield it.scope, bound_verdict(verdict.drop_unproven_command())
    for cell in it.effect.lost_cells:
        subnet, service = _name_subnet(cell.subnet_id, it.names), short_name(cell.service)
        text = f"Before: {_describe_cell(cell.before)}. After: {_describe_cell(cell.after)}."
        summary = f"{subnet} loses its path to {service}"
        yield it.scope, _lose(f"{cell.subnet_id}/{service}", summary, text)
    for route in it.effect.lost_routes:
        summary = (
            f"{_name_subnet(route.subnet_id, it.names)} loses its route {_describe_lost(it, route)}"
        )
        blocks = _describe_addresses(route.addresses)
        yield it.scope, _lose(f"{route.subnet_id}/routes", summary, f"No route leads to {blocks}.")


def _lose(resource: str, summary: str, text: str) -> Verdict:
    return Verdict(
        rule=PATH_LOST.id,
        resource=resource,
        status=Status.FAIL,
        severity=PATH_LOST.severity,
        summary=summary,
        evidence=(Evidence(text),),
    )


def _name_subnet(subnet_id: str, names: Mapping[str, str]) -> str:
    name = names.get(subnet_id)
    return f"{subnet_id} ({name})" if name else subnet_id


def _describe_cell(cell: Cell | None) -> str:
    return f"{cell.outcome.value}: {cell.summary}" if cell else "does not exist"


def _describe_lost(it: ScopeComparison, lost: LostRoute) -> str:
    """Describe what a subnet loses by its former routes, or else by the addresses."""
    former = it.former_routes.get(lost.subnet_id, ())
    return join_some(former) if former else _describe_addresses(lost.addresses)


def _describe_addresses(addresses: AddressSet) -> str:
    return join_some(list(map(str, addresses.networks())))


def join_some(names: Sequence[str]) -> str:
    """Join names; of many only the first ones, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _format_charge(charge: Charge | None) -> str:
    return format_dollars(charge.dollars) if charge else "0.00"
