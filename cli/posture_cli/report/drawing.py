"""Draws a VPC from its coverage matrix: subnets, route tables and the targets of the traffic."""

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

SUBNETS, TABLES, TARGETS = (0.0, 240.0), (310.0, 185.0), (570.0, 260.0)  # left edges and widths
WIDTH = sum(TARGETS)
LINE, PADDING, GAP, TOP = 16.0, 14.0, 14.0, 26.0
MARGIN = 22.0  # of a box, left and right together
LETTER, SMALL_LETTER = 7.3, 6.2  # the widest letters that names usually have
NAMES = 3  # lines for names in a box
CENTRAL = "central endpoints"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with the names that fit, one per line; its tooltip holds all names and details.

    `x` and `y` are the left and top edge; `kind` and `colour` are CSS classes.
    """

    x: float
    width: float
    kind: str
    lines: Sequence[str]
    detail: str
    title: str
    colour: str = ""
    y: float = 0.0

    @property
    def height(self) -> float:
        """The height with all lines."""
        return PADDING + LINE * (len(self.lines) + 1)


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two boxes, as an SVG path; `title` is its tooltip."""

    path: str
    colour: str
    title: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """The drawing of a VPC; `title` describes it in words."""

    width: float
    height: float
    boxes: Sequence[Box]
    edges: Sequence[Edge]
    title: str


@dataclass(frozen=True, slots=True)
class _Group:
    """Subnets with the same route table and the same answers."""

    name: str
    subnets: tuple[Record, ...]
    table: str
    answers: tuple[Record, ...]

    @property
    def colour(self) -> str:
        return choose_worst(find_outcome_colour(each) for each in self.answers)


def draw_vpc(record: Record) -> Drawing:
    """Draw a recorded matrix; subnets with the same paths share a box."""
    groups = _group_subnets(record)
    routes = _find_routes(groups, [str(each["short"]) for each in record["services"]])
    tables = dict.fromkeys(group.table for group in groups)
    targets = sorted({target for _, target in routes}, key=lambda it: _rank(it, routes))
    drawn = (
        {group.name: _build_subnet_box(group) for group in groups},
        {f"table:{it}": build_box(TABLES, "table", [it], ["route table"], "") for it in tables},
        {each: _build_target_box(each, routes, record) for each in targets},
    )
    height = TOP + max(sum(box.height + GAP for box in column.values()) for column in drawn)
    boxes = {name: box for column in drawn for name, box in place_column(column, height)}
    bad = sum(len(group.subnets) for group in groups if group.colour == "bad")
    title = (
        f"{_count(len(record['subnets']))}, of which {bad} send traffic to AWS services over the "
        "internet, or are blocked"
    )
    return Drawing(WIDTH, height, [*boxes.values()], [*_draw_edges(groups, routes, boxes)], title)


def _group_subnets(record: Record) -> list[_Group]:
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


Routes = Mapping[tuple[str, str], tuple[str, tuple[str, ...]]]
Boxes = Mapping[str, Box]


def _find_routes(groups: Sequence[_Group], services: Sequence[str]) -> Routes:
    """Return the colour and the services of each route, by source and target.

    A source is a route table or a group of subnets.
    """
    found: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for group in groups:
        for service, answer in zip(services, group.answers, strict=True):
            if answer.get("interfaces"):
                key = group.name, f"endpoint:{service}"
                found[key].append((find_outcome_colour(answer), service))
                continue
            for hub in dict.fromkeys(str(each["vpc"]) for each in answer.get("central", ())):
                key = f"table:{group.table}", f"{CENTRAL}:{hub}"
                found[key].append((find_outcome_colour(answer), service))
            for path in answer.get("paths", ()):
                key = f"table:{group.table}", _target(path)
                found[key].append((find_path_colour(path, answer), service))
    return {
        key: (
            choose_worst(each for each, _ in uses),
            tuple(dict.fromkeys(name for _, name in uses)),
        )
        for key, uses in found.items()
    }


def _target(path: Record) -> str:
    return f"{path['path']}:{path.get('target', '')}"


def _rank(target: str, routes: Routes) -> tuple[int, str]:
    colours = (colour for (_, to), (colour, _) in routes.items() if to == target)
    return -WORST.index(choose_worst(colours)), target


def place_column(boxes: Boxes, height: float) -> Iterator[tuple[str, Box]]:
    """Place boxes below each other, centred vertically."""
    used = sum(box.height + GAP for box in boxes.values())
    y = TOP + (height - TOP - used) / 2
    for name, box in boxes.items():
        yield name, replace(box, y=y)
        y += box.height + GAP


def build_box(
    place: tuple[float, float], kind: str, names: Sequence[str], detail: Sequence[str], colour: str
) -> Box:
    """Build a box; `detail` is the start of its small line, and the names that follow."""
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
        colour,
    )


def _build_subnet_box(group: _Group) -> Box:
    names = [str(each["name"] or each["id"]) for each in group.subnets]
    zones = sorted({str(each["zone"]) for each in group.subnets})
    return build_box(SUBNETS, "subnet", names, ["", *zones], group.colour)


def _build_target_box(target: str, routes: Routes, record: Record) -> Box:
    kind, _, name = target.partition(":")
    uses = [use for (_, to), use in routes.items() if to == target]
    services = list(dict.fromkeys(name for _, names in uses for name in names))
    colour = choose_worst(each for each, _ in uses)
    if kind == "endpoint":
        column = next(each for each in record["services"] if each["short"] == name)
        names, detail = list(map(str, column["endpoints"])), ["interface endpoint: ", name]
    else:
        words = kind.replace("-", " ")
        names, detail = [name or words], [f"{words}: ", *services]
    return build_box(TARGETS, kind, names, detail, colour)


def _draw_edges(groups: Sequence[_Group], routes: Routes, boxes: Boxes) -> Iterator[Edge]:
    """Draw the associations of subnets with route tables, then the routes, the worst on top."""
    for group in groups:
        title = f"{_count(len(group.subnets))} in {group.table}"
        yield Edge(format_curve(boxes[group.name], boxes[f"table:{group.table}"]), "link", title)
    ordered = sorted(routes.items(), key=lambda item: -WORST.index(item[1][0]))
    for (source, target), (colour, services) in ordered:
        title = f"{', '.join(services)} to {target.replace(':', ' ').strip()}"
        yield Edge(format_curve(boxes[source], boxes[target]), colour, title)


def format_curve(start: Box, end: Box) -> str:
    """Format the path of a line from the right of a box to the left of another."""
    x1, y1 = start.x + start.width, start.y + start.height / 2
    x2, y2 = end.x, end.y + end.height / 2
    bend = (x2 - x1) / 2
    return f"M{x1:.0f} {y1:.1f}C{x1 + bend:.0f} {y1:.1f} {x2 - bend:.0f} {y2:.1f} {x2:.0f} {y2:.1f}"


def _count(subnets: int) -> str:
    return "1 subnet" if subnets == 1 else f"{subnets} subnets"
