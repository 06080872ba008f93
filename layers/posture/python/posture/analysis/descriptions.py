"""How paths and reaches are said in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from posture.analysis.addresses import AddressSet
from posture.analysis.gates import Obstacle
from posture.analysis.path import Path, PathKind
from posture.analysis.reach import Reach, ReachStatus

MOST = 4  # blocks that a sentence names


def describe_paths(paths: Iterable[Path], *, exact: bool) -> str:
    """Say which addresses go which way, the larger parts last; `exact` names the addresses."""
    listed = sorted(paths, key=lambda path: path.addresses.size)
    if not listed:
        return "no address that the subnet could send to"
    if len(listed) == 1:
        return f"all {describe_path(listed[0])}"
    if not exact:
        return "its public addresses are not told; they may go " + " or ".join(
            dict.fromkeys(map(describe_path, listed))
        )
    *parts, rest = listed
    return ", ".join(
        [
            *(f"{describe_addresses(path.addresses)} {describe_path(path)}" for path in parts),
            f"the rest {describe_path(rest)}",
        ]
    )


def describe_path(path: Path) -> str:
    """Say which way a path is."""
    if path.kind is PathKind.NONE:
        return "without a route"
    if path.kind is PathKind.BLACKHOLE:
        return f"into the blackhole {path.target}" + (f" ({path.why})" if path.why else "")
    if path.kind is PathKind.UNKNOWN:
        return f"by an unknown way ({path.why})"
    return f"by {path.target or path.kind.value}{_onward(path)}"


def _onward(path: Path) -> str:
    """Say where a NAT gateway sends it, unless that is where NAT gateways are for."""
    if all(each.kind is PathKind.INTERNET_GATEWAY for each in path.onward):
        return ""
    return f" and on {' or '.join(dict.fromkeys(map(describe_path, path.onward)))}"


def describe_addresses(addresses: AddressSet, most: int = MOST) -> str:
    """Name some blocks, and how many there are besides."""
    blocks = addresses.networks()
    named = ", ".join(map(str, blocks[:most]))
    return named if len(blocks) <= most else f"{named} and {len(blocks) - most} blocks more"


def describe_reaches(reaches: Sequence[Reach], missing: Sequence[str]) -> str:
    """Say what keeps a subnet from interfaces; nothing where all are reached."""
    answers = {reach.answer for reach in reaches}
    if answers and answers <= {ReachStatus.NO}:
        return f", but {_first(reaches)}"
    if missing or not reaches or ReachStatus.UNKNOWN in answers:
        return f", but {_unknown(reaches, missing)}"
    if answers <= {ReachStatus.YES, ReachStatus.BY_SECURITY_GROUP}:
        groups = sorted({group for reach in reaches for group in reach.groups})
        return f", for workloads in {' or '.join(groups)}" if groups else ""
    return f", in part: {_first(reaches)}"


def _unknown(reaches: Sequence[Reach], missing: Sequence[str]) -> str:
    if missing:
        return f"the network interface {missing[0]} could not be read"
    unread = (what for reach in reaches for what in reach.unread)
    return next((f"{what} could not be told" for what in unread), "it has no interface to be seen")


def _first(reaches: Iterable[Reach]) -> str:
    stops = (
        describe_obstacle(each, reach.sources) for reach in reaches for each in reach.obstacles
    )
    return next(stops, "the subnet and the endpoint share no IP version")


def describe_obstacle(each: Obstacle, sources: AddressSet) -> str:
    """Say what stops whom of a subnet's addresses."""
    whom = "the whole subnet" if each.addresses >= sources else describe_addresses(each.addresses)
    ports = f" to ports {each.ports[0]}-{each.ports[1]}" if each.ports else ""
    return f"{each.by} stops {whom}{ports} ({each.rule})"


def describe_acl_obstacle(each: Obstacle, private: AddressSet) -> str:
    """Say what of a service's addresses an ACL stops."""
    what = "all of it" if each.addresses >= private else describe_addresses(each.addresses)
    ports = f" on its way back to ports {each.ports[0]}-{each.ports[1]}" if each.ports else ""
    return f"{each.by} stops {what}{ports} ({each.rule})"
