"""Each VPC drawn from its coverage matrix: subnets, route tables, and where the traffic goes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from posture.analysis.matrix import list_row_answers
from posture_cli.report.labels import fit_lines, fit_list, measure_width
from posture_cli.report.outcome_colours import (
    WORST,
    choose_worst,
    find_outcome_colour,
    find_path_colour,
)

Record = Mapping[str, Any]

SUBNETS, TABLES, TARGETS = (0.0, 240.0), (310.0, 185.0), (570.0, 260.0)  # left ends and widths
WIDTH = sum(TARGETS)
LINE, PADDING, GAP, TOP = 16.0, 14.0, 14.0, 26.0
MARGIN = 22.0  # of a box, left and right of its text together
LETTER, SMALL_LETTER = 7.3, 6.2  # how wide a letter is at the most that names are made of
NAMES = 3  # lines that one box has for its names


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with lines of text.

    Attributes:
        x: Where it begins.
        width: How wide it is.
        kind: What it stands for.
        lines: Its names, a line each, as far as they fit.
        detail: A small line below them, as far as it fits.
        told: All the names and details, for whoever points at it.
        tone: How it fares.
        y: Where it begins, from the top.
    """

    x: float
    width: float
    kind: str
    fit_lines: Sequence[str]
    detail: str
    told: str
    tone: str = ""
    y: float = 0.0

    @property
    def height(self) -> float:
        """How high it is with all its lines."""
        return PADDING + LINE * (len(self.lines) + 1)


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
        return choose_worst(find_outcome_colour(each) for each in self.answers)


def draw_vpc(record: Record) -> Drawing:
    """Draw a recorded matrix; subnets that fare alike share a box."""
    groups = _groups(record)
    ways = _ways(groups, [str(each["short"]) for each in record["services"]])
    tables = dict.fromkeys(group.table for group in groups)
    targets = sorted({target for _, target in ways}, key=lambda it: _rank(it, ways))
    drawn = (
        {group.name: _subnet_box(group) for group in groups},
        {f"table:{each}": _table_box(each) for each in tables},
        {each: _target_box(each, ways, record) for each in targets},
    )
    height = TOP + max(sum(box.height + GAP for box in column.values()) for column in drawn)
    boxes = {name: box for column in drawn for name, box in _column(column, height)}
    edges = [*_associations(groups, boxes), *_routes(ways, boxes)]
    return Drawing(WIDTH, height, [*boxes.values()], edges, _sentence(groups, record))


def _groups(record: Record) -> list[_Group]:
    alike: dict[tuple[str, tuple[int, ...]], list[Record]] = defaultdict(list)
    for subnet in record["subnets"]:
        key = str(subnet["route_table"] or "unknown"), tuple(record["cells"][subnet["id"]])
        alike[key].append(subnet)
    return [
        _Group(
            f"group:{number}",
            tuple(subnets),
            table,
            tuple(list_row_answers(record, subnets[0]["id"])),
        )
        for number, ((table, _), subnets) in enumerate(alike.items())
    ]


Ways = Mapping[tuple[str, str], tuple[str, tuple[str, ...]]]
Boxes = Mapping[str, Box]


def _ways(groups: Sequence[_Group], services: Sequence[str]) -> Ways:
    """Give how each source (a route table, or a group of subnets) sends what to each target."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for group in groups:
        for service, answer in zip(services, group.answers, strict=True):
            if answer.get("interfaces"):
                found[group.name, f"endpoint:{service}"].append(
                    (find_outcome_colour(answer), service)
                )
                continue
            for path in answer.get("paths", ()):
                key = f"table:{group.table}", _target(path)
                found[key].append((find_path_colour(path, answer), service))
    return {
        key: (
            choose_worst(tone for tone, _ in told),
            tuple(dict.fromkeys(name for _, name in told)),
        )
        for key, told in found.items()
    }


def _target(path: Record) -> str:
    return f"{path['path']}:{path.get('target', '')}"


def _rank(target: str, ways: Ways) -> tuple[int, str]:
    return -WORST.index(
        choose_worst(tone for (_, to), (tone, _) in ways.items() if to == target)
    ), target


def _column(boxes: Boxes, height: float) -> Iterator[tuple[str, Box]]:
    """Place boxes below each other, in the middle of the drawing."""
    used = sum(box.height + GAP for box in boxes.values())
    y = TOP + (height - TOP - used) / 2
    for name, box in boxes.items():
        yield name, replace(box, y=y)
        y += box.height + GAP


def _box(
    place: tuple[float, float], kind: str, names: Sequence[str], detail: Sequence[str], tone: str
) -> Box:
    """Make a box; `detail` is what its small line starts with, and what it lists."""
    x, width = place
    first, *rest = detail
    room = int((width - MARGIN) / SMALL_LETTER) - measure_width(first)
    return Box(
        x,
        width,
        kind,
        fit_lines(names, int((width - MARGIN) / LETTER), NAMES),
        first + fit_list(rest, room),
        f"{', '.join(names)} ({first}{', '.join(rest)})",
        tone,
    )


def _subnet_box(group: _Group) -> Box:
    names = [str(each["name"] or each["id"]) for each in group.subnets]
    zones = sorted({str(each["zone"]) for each in group.subnets})
    return _box(SUBNETS, "subnet", names, ["", *zones], group.tone)


def _table_box(table: str) -> Box:
    return _box(TABLES, "table", [table], ["route table"], "")


def _target_box(target: str, ways: Ways, record: Record) -> Box:
    kind, _, name = target.partition(":")
    told = [(tone, names) for (_, to), (tone, names) in ways.items() if to == target]
    services = list(dict.fromkeys(name for _, names in told for name in names))
    tone = choose_worst(tone for tone, _ in told)
    if kind == "endpoint":
        column = next(each for each in record["services"] if each["short"] == name)
        names, detail = list(map(str, column["endpoints"])), ["interface endpoint: ", name]
    else:
        words = kind.replace("-", " ")
        names, detail = [name or words], [f"{words}: ", *services]
    return _box(TARGETS, kind, names, detail, tone)


def _associations(groups: Sequence[_Group], boxes: Boxes) -> Iterator[Edge]:
    for group in groups:
        told = f"{_counted(len(group.subnets))} by {group.table}"
        yield Edge(_curve(boxes[group.name], boxes[f"table:{group.table}"]), "link", told)


def _routes(ways: Ways, boxes: Boxes) -> Iterator[Edge]:
    ordered = sorted(ways.items(), key=lambda item: -WORST.index(item[1][0]))
    for (source, target), (tone, services) in ordered:
        told = f"{', '.join(services)} by {target.replace(':', ' ').strip()}"
        yield Edge(_curve(boxes[source], boxes[target]), tone, told)


def _curve(start: Box, end: Box) -> str:
    x1, y1 = start.x + start.width, start.y + start.height / 2
    x2, y2 = end.x, end.y + end.height / 2
    bend = (x2 - x1) / 2
    return f"M{x1:.0f} {y1:.1f}C{x1 + bend:.0f} {y1:.1f} {x2 - bend:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"


def _counted(subnets: int) -> str:
    return "1 subnet" if subnets == 1 else f"{subnets} subnets"


def _sentence(groups: Sequence[_Group], record: Record) -> str:
    bad = sum(len(group.subnets) for group in groups if group.tone == "bad")
    total = _counted(len(record["subnets"]))
    return f"{total}, of which {bad} send traffic to AWS services the wrong way"
