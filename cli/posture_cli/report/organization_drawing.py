"""Draws which VPCs use whose central endpoints: spokes, what connects them, hubs. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from posture.analysis.central.answers import StepStatus
from posture_cli.hubs.groups import SpokeGroup, name_some
from posture_cli.report.drawing import (
    GAP,
    SUBNETS,
    TABLES,
    TARGETS,
    TOP,
    WIDTH,
    Box,
    Drawing,
    Edge,
    build_box,
    format_curve,
    place_column,
)
from posture_cli.report.outcome_colours import WORST, choose_worst

DRAWN = 12  # groups of spokes; the table below the drawing has all
STATUS_COLOURS: Mapping[str, str] = {
    StepStatus.BROKEN: "bad",
    StepStatus.PARTLY: "warn",
    StepStatus.UNKNOWN: "unknown",
    StepStatus.HOLDS: "good",
}
STATUS_WORDS: Mapping[str, str] = {
    StepStatus.BROKEN: "broken",
    StepStatus.PARTLY: "in part",
    StepStatus.UNKNOWN: "unknown",
    StepStatus.HOLDS: "holds",
}


@dataclass(frozen=True, slots=True)
class HubRow:
    """A row of the table below the drawing."""

    colour: str
    status: str
    vpcs: str
    detail: str
    hub: str
    hub_account: str
    services: str
    about: str
    subjects: str
    why: str


def build_rows(groups: Sequence[SpokeGroup]) -> list[HubRow]:
    """Build the rows of the table, what is broken first."""
    return [
        HubRow(
            STATUS_COLOURS[each.status],
            STATUS_WORDS[each.status],
            name_some(each.vpcs),
            _describe_size(each),
            each.hub,
            each.hub_account,
            ", ".join(each.services),
            each.about,
            name_some(each.subjects or each.links),
            each.why,
        )
        for each in groups
    ]


def draw_organization(groups: Sequence[SpokeGroup], title: str) -> Drawing | None:
    """Draw the groups of spokes, the worst first; None if there are none."""
    if not groups:
        return None
    drawn = groups[:DRAWN]
    links: dict[str, list[SpokeGroup]] = {}
    hubs: dict[str, list[SpokeGroup]] = {}
    for each in drawn:
        links.setdefault(_name_link(each), []).append(each)
        hubs.setdefault(each.hub or "unknown", []).append(each)
    columns = (
        {f"spokes:{number}": _build_spokes(each) for number, each in enumerate(drawn)},
        {f"link:{name}": _build_link(using) for name, using in links.items()},
        {f"hub:{name}": _build_hub(name, using) for name, using in hubs.items()},
    )
    height = TOP + max(sum(box.height + GAP for box in each.values()) for each in columns)
    boxes = {name: box for each in columns for name, box in place_column(each, height)}
    edges = list(_draw_edges(drawn, boxes))
    return Drawing(WIDTH, height, list(boxes.values()), edges, title)


def _draw_edges(groups: Sequence[SpokeGroup], boxes: Mapping[str, Box]) -> Iterator[Edge]:
    """Draw a line from each group by its link to its hub, the worst on top."""
    ordered = sorted(enumerate(groups), key=lambda it: -WORST.index(STATUS_COLOURS[it[1].status]))
    for number, each in ordered:
        colour = STATUS_COLOURS[each.status]
        link = boxes[f"link:{_name_link(each)}"]
        title = each.why or f"{name_some(each.vpcs)} to {each.hub}: every step holds"
        yield Edge(format_curve(boxes[f"spokes:{number}"], link), colour, title)
        if each.hub or each.status is not StepStatus.BROKEN:
            hub = boxes[f"hub:{each.hub or 'unknown'}"]
            yield Edge(format_curve(link, hub), colour, title)


def _name_link(group: SpokeGroup) -> str:
    names = group.subjects or group.links
    return f"{group.about}:{','.join(names)}"


def _build_spokes(group: SpokeGroup) -> Box:
    detail = ["", _describe_size(group)]
    return build_box(SUBNETS, "spokes", group.vpcs, detail, STATUS_COLOURS[group.status])


def _build_link(groups: Sequence[SpokeGroup]) -> Box:
    first = groups[0]
    names = first.subjects or first.links or ("not known",)
    colour = choose_worst(STATUS_COLOURS[each.status] for each in groups)
    return build_box(TABLES, "link", names, [first.about or "path"], colour)


def _build_hub(name: str, groups: Sequence[SpokeGroup]) -> Box:
    services = sorted({service for each in groups for service in each.services})
    account = next((each.hub_account for each in groups if each.hub_account), "")
    names = [name] if name != "unknown" else ["no hub is known"]
    owner = f"{account}: " if account else ""
    return build_box(TARGETS, "hub", names, [owner, *services], "")


def _describe_size(group: SpokeGroup) -> str:
    vpcs, accounts = len(group.vpcs), group.accounts
    where = "1 account" if accounts == 1 else f"{accounts:,} accounts"
    return f"{'1 VPC' if vpcs == 1 else f'{vpcs:,} VPCs'} in {where}"
