"""Each VPC drawn from its coverage matrix: subnets, route tables, and where the traffic goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posture.analysis.matrix import outcomes
from posture.analysis.paths import PathKind

Record = Mapping[str, Any]

SUBNETS, TABLES, TARGETS = 0.0, 310.0, 570.0  # where the columns begin
SUBNET_WIDTH, TABLE_WIDTH, TARGET_WIDTH = 240.0, 185.0, 260.0
WIDTH = TARGETS + TARGET_WIDTH
BOX, GAP, TOP = 46.0, 14.0, 26.0
NAMES = 2  # subnets that one box names

# How each outcome of the matrix is drawn, the worst first.
TONES = {
    "internet": "bad",
    "blocked": "bad",
    "partly": "warn",
    "unknown": "unknown",
    "no way": "idle",
    "other network": "other",
    "by group": "good",
    "endpoint": "good",
}
WORST = ("bad", "warn", "unknown", "other", "idle", "good")
PATHS: Mapping[str, str] = {
    PathKind.GATEWAY_ENDPOINT: "good",
    PathKind.NAT_GATEWAY: "bad",
    PathKind.INTERNET_GATEWAY: "bad",
    PathKind.EGRESS_ONLY_GATEWAY: "bad",
    PathKind.BLACKHOLE: "bad",
    PathKind.NONE: "idle",
    PathKind.UNKNOWN: "unknown",
}


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with two lines of text; `tone` tells how it fares."""

    x: float
    y: float
    width: float
    title: str
    detail: str
    kind: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from one box to another, as an SVG path; `told` is what a reader may know of it."""

    path: str
    tone: str
    told: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A VPC."""

    width: float
    height: float
    boxes: Sequence[Box]
    edges: Sequence[Edge]
    told: str


@dataclass(frozen=True, slots=True)
class _Group:
    """Subnets that fare alike: same route table, same answers."""

    name: str
    subnets: tuple[Record, ...]
    table: str
    answers: tuple[Record, ...]

    @property
    def tone(self) -> str:
        return worst(tone_of(each) for each in self.answers)


def tone_of(answer: Record) -> str:
    """Give how an answer of the matrix is drawn."""
    return TONES.get(str(answer["outcome"]), "unknown")


def worst(tones: Iterable[str]) -> str:
    """Give the worst of several ways to fare."""
    return min(tones, key=WORST.index, default="idle")


def draw(record: Record) -> Drawing:
    """Draw a recorded matrix; subnets that fare alike share a box."""
    groups = _groups(record)
    services = [str(each["short"]) for each in record["services"]]
    ways = _ways(groups, services)
    tables = list(dict.fromkeys(group.table for group in groups))
    targets = sorted({target for _, target in ways}, key=lambda it: _rank(it, ways))
    rows = max(len(groups), len(tables), len(targets), 1)
    height = TOP + rows * (BOX + GAP)
    places = {
        **_column(SUBNETS, [group.name for group in groups], height),
        **_column(TABLES, [f"table:{each}" for each in tables], height),
        **_column(TARGETS, targets, height),
    }
    boxes = [
        *(_subnet_box(group, places[group.name]) for group in groups),
        *(_table_box(each, places[f"table:{each}"]) for each in tables),
        *(_target_box(each, places[each], ways, record) for each in targets),
    ]
    edges = [*_associations(groups, places), *_routes(ways, places)]
    return Drawing(WIDTH, height, boxes, edges, _sentence(groups, record))


def _groups(record: Record) -> list[_Group]:
    alike: dict[tuple[str, tuple[int, ...]], list[Record]] = defaultdict(list)
    for subnet in record["subnets"]:
        key = str(subnet["route_table"] or "unknown"), tuple(record["cells"][subnet["id"]])
        alike[key].append(subnet)
    return [
        _Group(f"group:{number}", tuple(subnets), table, tuple(outcomes(record, subnets[0]["id"])))
        for number, ((table, _), subnets) in enumerate(alike.items())
    ]


Ways = Mapping[tuple[str, str], tuple[str, tuple[str, ...]]]
Places = Mapping[str, tuple[float, float]]


def _ways(groups: Sequence[_Group], services: Sequence[str]) -> Ways:
    """Give how each source (a route table, or a group of subnets) sends what to each target."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for group in groups:
        for service, answer in zip(services, group.answers, strict=True):
            if answer.get("interfaces"):
                found[group.name, f"endpoint:{service}"].append((tone_of(answer), service))
                continue
            for path in answer.get("paths", ()):
                key = f"table:{group.table}", _target(path)
                found[key].append((_path_tone(path, answer), service))
    return {
        key: (worst(tone for tone, _ in told), tuple(dict.fromkeys(name for _, name in told)))
        for key, told in found.items()
    }


def _target(path: Record) -> str:
    return f"{path['path']}:{path.get('target', '')}"


def _path_tone(path: Record, answer: Record) -> str:
    return PATHS.get(str(path["path"]), "other" if answer["outcome"] != "unknown" else "unknown")


def _rank(target: str, ways: Ways) -> tuple[int, str]:
    return -WORST.index(worst(tone for (_, to), (tone, _) in ways.items() if to == target)), target


def _column(x: float, things: Sequence[str], height: float) -> dict[str, tuple[float, float]]:
    used = len(things) * (BOX + GAP)
    first = TOP + (height - TOP - used) / 2
    return {thing: (x, first + number * (BOX + GAP)) for number, thing in enumerate(things)}


def _subnet_box(group: _Group, place: tuple[float, float]) -> Box:
    names = [str(each["name"] or each["id"]) for each in group.subnets]
    title = ", ".join(names[:NAMES])
    if len(names) > NAMES:
        title = f"{title} and {len(names) - NAMES} more"
    zones = ", ".join(sorted({str(each["zone"]) for each in group.subnets}))
    return Box(*place, SUBNET_WIDTH, title, zones, "subnet", group.tone)


def _table_box(table: str, place: tuple[float, float]) -> Box:
    return Box(*place, TABLE_WIDTH, table, "route table", "table")


def _target_box(target: str, place: tuple[float, float], ways: Ways, record: Record) -> Box:
    kind, _, name = target.partition(":")
    told = [(tone, names) for (_, to), (tone, names) in ways.items() if to == target]
    services = ", ".join(dict.fromkeys(name for _, names in told for name in names))
    tone = worst(tone for tone, _ in told)
    if kind == "endpoint":
        column = next(each for each in record["services"] if each["short"] == name)
        ids = ", ".join(map(str, column["endpoints"]))
        return Box(*place, TARGET_WIDTH, ids, f"interface endpoint: {name}", kind, tone)
    words = kind.replace("-", " ")
    return Box(*place, TARGET_WIDTH, name or words, f"{words}: {services}", kind, tone)


def _associations(groups: Sequence[_Group], places: Places) -> Iterable[Edge]:
    for group in groups:
        told = f"{len(group.subnets)} subnets use {group.table}"
        yield Edge(
            _curve(places[group.name], SUBNET_WIDTH, places[f"table:{group.table}"]), "link", told
        )


def _routes(ways: Ways, places: Places) -> Iterable[Edge]:
    ordered = sorted(ways.items(), key=lambda item: -WORST.index(item[1][0]))
    for (source, target), (tone, services) in ordered:
        width = TABLE_WIDTH if source.startswith("table:") else SUBNET_WIDTH
        told = f"{', '.join(services)} by {target.replace(':', ' ').strip()}"
        yield Edge(_curve(places[source], width, places[target]), tone, told)


def _curve(start: tuple[float, float], width: float, end: tuple[float, float]) -> str:
    x1, y1 = start[0] + width, start[1] + BOX / 2
    x2, y2 = end[0], end[1] + BOX / 2
    bend = (x2 - x1) / 2
    return f"M{x1:.0f} {y1:.1f}C{x1 + bend:.0f} {y1:.1f} {x2 - bend:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"


def _sentence(groups: Sequence[_Group], record: Record) -> str:
    bad = sum(len(group.subnets) for group in groups if group.tone == "bad")
    total = len(record["subnets"])
    return f"{total} subnets, of which {bad} send traffic to AWS services the wrong way"
