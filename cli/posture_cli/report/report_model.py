"""Builds the model of the report page from what was collected. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from posture.model.finding import FindingStatus, Step
from posture.model.scope import Region
from posture.model.verdict import Severity
from posture.rules.control_counts import ControlCount, build_control_record
from posture.rules.rule_catalogue import RULES_BY_ID
from posture_cli.audit.observed import ObservedPeriod
from posture_cli.audit.open_stacks import UnreadStack
from posture_cli.hubs.groups import describe_groups, group_spokes
from posture_cli.hubs.relations import place_uses
from posture_cli.render.findings import FINDING_CSV
from posture_cli.render.records import format_csv_row
from posture_cli.report.collect import FIELDS, CollectedFindings, PlaceCounts, ReportPeriod
from posture_cli.report.networks import VpcPaths, find_private_share
from posture_cli.report.organization_drawing import build_rows, draw_organization
from posture_cli.report.outcome_colours import WORST
from posture_cli.report.pack import CHUNK, pack, pack_array
from posture_cli.report.trend import stack_bands

HEADLINE_SEVERITIES = 3
PLACES = 500  # accounts' Regions that the page lists, the worst first
TOTAL = "all Regions"
WITHOUT_SCRIPT = 100  # findings that the page lists where its script does not run
STATUSES = (*(each.value for each in FindingStatus), Step.TRANSIENT.value)


@dataclass(frozen=True, slots=True)
class HistoryCheck:
    """The result of verifying the history."""

    faults: Sequence[str]
    sentences: Sequence[str]  # what was verified, and what is not proven


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a report is made from.

    `names` are the names of VPCs and accounts by id, where they are known. `waivers` are the rows
    of a table. `unread` are the stacks that are missing, or a part of them; `absent` the Regions
    that have no such stack, if all were asked for.
    """

    title: str
    observed: ObservedPeriod
    period: ReportPeriod
    findings: CollectedFindings
    networks: Sequence[VpcPaths] = ()
    waivers: Sequence[Mapping[str, str]] = ()
    history: HistoryCheck | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    unread: Sequence[UnreadStack] = ()
    absent: Sequence[str] = ()


def build_report_model(data: ReportData) -> dict[str, Any]:
    """Build everything that the page shows, by the names that its template uses."""
    found = data.findings
    rows = found.rows
    counts = sum((place.open for place in found.places.values()), Counter[Severity]())
    networks = sorted(data.networks, key=lambda it: it.sort_key)
    paths = sum((Counter(it.counts) for it in networks), Counter[str]())
    places = sorted(_build_places(data, networks), key=_rank_place)
    return {
        "data": data,
        "headline": _format_headline(counts, found.affected) + _format_unread(data),
        "coverage": _format_coverage(data),
        "counts": counts,
        "unknown": sum(place.unknown for place in found.places.values()),
        "waived": sum(place.waived for place in found.places.values()),
        "unresolved": found.unresolved,
        "resolution": _format_duration(found.resolution),
        "private": find_private_share(paths),
        "paths": paths,
        "totals": _total_regions(found.places, networks),
        "places": places[:PLACES],
        "all_places": len(places),
        "peak": max(found.trend, key=lambda point: point.total),
        "bands": stack_bands(found.trend),
        "controls": _group_controls(found.controls),
        "choices": _list_choices(data),
        "listed": len(rows),
        "networks": len(networks),
        "organization": _build_organization(data.networks),
        "first": [dict(zip(FIELDS, json.loads(row), strict=True)) for row in rows[:WITHOUT_SCRIPT]],
        "meta": _build_meta(data),
        "packs": {
            "findings": pack_array(rows),
            **{f"details-{number}": packed for number, packed in enumerate(found.details)},
            "networks": pack([each.build_row() for each in networks]),
            **{f"network-{number}": each.packed for number, each in enumerate(networks)},
        },
    }


def _build_organization(networks: Iterable[VpcPaths]) -> Mapping[str, Any] | None:
    """Build what the page shows of central endpoints; None if no VPC uses any."""
    groups = group_spokes(place_uses(use for each in networks for use in each.uses))
    if not groups:
        return None
    sentence = describe_groups(groups)
    return {
        "sentence": sentence,
        "rows": build_rows(groups),
        "drawing": draw_organization(groups, sentence),
    }


def _build_meta(data: ReportData) -> Mapping[str, Any]:
    """Build what the script needs at once."""
    used = data.findings.choices["rule"]
    return {
        "fields": FIELDS,
        "chunk": CHUNK,
        "until": data.period.until.isoformat(),
        "colours": WORST,
        "csv": format_csv_row({column: column for column in FINDING_CSV}, FINDING_CSV),
        "names": data.names,
        "rationales": {name: rule.rationale for name, rule in RULES_BY_ID.items() if name in used},
    }


def _group_controls(counts: Sequence[ControlCount]) -> Sequence[tuple[str, Sequence[Any]]]:
    """Group the controls' records by framework."""
    frameworks: dict[str, list[Mapping[str, Any]]] = {}
    for count in counts:
        record = build_control_record(count)
        frameworks.setdefault(record["framework"], []).append(record)
    return list(frameworks.items())


def _format_headline(counts: Counter[Severity], affected: int) -> str:
    total = counts.total()
    if not total:
        return "No finding is open."
    words = [f"{counts[each]:,} {each}" for each in Severity if counts[each]]
    if len(words) > HEADLINE_SEVERITIES:
        rest = total - sum(counts[each] for each in [*filter(counts.get, Severity)][:2])
        words = [*words[:2], f"{rest:,} less severe"]
    text = " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
    noun = "finding is" if total == 1 else "findings are"
    where = "one VPC or endpoint service"
    if affected != 1:
        where = f"{affected:,} VPCs or endpoint services"
    return f"{text} {noun} open in {where}."


def _format_coverage(data: ReportData) -> str:
    """Say over which scopes the page speaks."""
    found = data.findings.places
    places = {at: it for at, it in found.items() if it.scopes or not it.unread}
    scopes = sum(place.scopes for place in places.values())
    parts = (
        (scopes, "VPC or endpoint service", "VPCs and endpoint services"),
        (len({place.account for place in places}), "account", "accounts"),
        (len({place.name for place in places}), "region", "regions"),
    )
    return " · ".join(f"{number:,} {one if number == 1 else many}" for number, one, many in parts)


def _format_unread(data: ReportData) -> str:
    """Say in the headline what it does not speak of."""
    regions = sorted({each.region for each in data.unread})
    if not regions:
        return ""
    names = " and ".join(filter(None, [", ".join(regions[:-1]), regions[-1]]))
    return f" {names} {'was' if len(regions) == 1 else 'were'} not read."


def _total_regions(
    places: Mapping[Region, PlaceCounts], networks: Iterable[VpcPaths]
) -> Sequence[Mapping[str, Any]]:
    """Build a row for each Region, over its accounts, and one for all; none for a single Region."""
    if len({place.name for place in places}) == 1:
        return ()
    counts: dict[str, PlaceCounts] = {}
    paths: dict[str, Counter[str]] = {}
    accounts: dict[str, set[str]] = {}
    for place, found in places.items():
        for name in (place.name, TOTAL):
            row = counts.setdefault(name, PlaceCounts())
            row.scopes += found.scopes
            row.open.update(found.open)
            row.unknown += found.unknown
            row.waived += found.waived
            row.unread |= found.unread
            accounts.setdefault(name, set()).update([place.account] * bool(found.scopes))
    for each in networks:
        for name in (each.scope.region, TOTAL):
            paths.setdefault(name, Counter()).update(each.counts)
    return [
        {
            "region": name,
            "accounts": len(accounts[name]),
            "counts": row,
            "private": find_private_share(paths.get(name, {})),
        }
        for name, row in sorted(counts.items(), key=lambda it: (it[0] == TOTAL, it[0]))
    ]


def _rank_place(place: Mapping[str, Any]) -> tuple[Any, ...]:
    """Rank an account's Region: what was not read first, then the most severe findings."""
    counts: PlaceCounts = place["counts"]
    worst = [-counts.open[each] for each in Severity]
    return not counts.unread, *worst, -counts.unknown, place["account"], place["region"]


def _build_places(data: ReportData, networks: Iterable[VpcPaths]) -> Iterator[Mapping[str, Any]]:
    """Build a row for each account and region."""
    paths: dict[tuple[str, str], Counter[str]] = {}
    for each in networks:
        key = each.scope.account, each.scope.region
        paths.setdefault(key, Counter()).update(each.counts)
    for region, counts in data.findings.places.items():
        yield {
            "account": region.account,
            "name": data.names.get(region.account, ""),
            "region": region.name,
            "counts": counts,
            "private": find_private_share(paths.get((region.account, region.name), {})),
        }


def _format_duration(span: timedelta | None) -> str:
    if span is None:
        return "none"
    minutes = int(span.total_seconds() // 60)
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= size:
            number = minutes // size
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{minutes} min"


def _list_choices(data: ReportData) -> Mapping[str, Sequence[tuple[str, str]]]:
    """List the choices of each filter, each with its text; a filter with one choice is left out."""
    choices: dict[str, Sequence[tuple[str, str]]] = {}
    for name, values in data.findings.choices.items():
        if name == "status":
            choices[name] = [(each, each) for each in STATUSES if each in values]
        else:
            texts = ((_name(each, data.names), each) for each in values)
            choices[name] = [(value, text) for text, value in sorted(texts)]
    return {name: listed for name, listed in choices.items() if len(listed) > 1}


def _name(value: str, names: Mapping[str, str]) -> str:
    return f"{names[value]} ({value})" if names.get(value) else value
