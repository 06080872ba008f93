"""Group spokes that use the same hub alike, so that 500 of them can be read as few. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from posture.analysis.central.answers import StepStatus
from posture_cli.hubs.relations import ORDER, Relation

NAMED = 4  # VPCs, services or resources that a cell of a table names


@dataclass(frozen=True, slots=True)
class SpokeGroup:
    """VPCs that use the central endpoints of one hub in the same way.

    `links` are what connects them, `subjects` the resources whose step decides, with `about`, the
    kind of that step, and `why`, one of the sentences. `services` are those of any of the VPCs.
    """

    relations: tuple[Relation, ...]
    hub: str
    hub_account: str
    status: StepStatus
    about: str
    links: tuple[str, ...]
    subjects: tuple[str, ...]
    services: tuple[str, ...]
    why: str

    @property
    def vpcs(self) -> tuple[str, ...]:
        """The names of the VPCs, or their ids, each once."""
        return tuple(dict.fromkeys(each.name or each.scope.subject for each in self.relations))

    @property
    def accounts(self) -> int:
        """The number of accounts that own the VPCs."""
        return len({each.scope.account for each in self.relations})


def group_spokes(relations: Iterable[Relation]) -> list[SpokeGroup]:
    """Group relations, what is broken first and of that the largest group first.

    A resource that decides for several VPCs, such as a route table of the transit gateway, has a
    group of its own. Resources of single VPCs, such as their own route tables, share one.
    """
    listed = list(relations)
    users = Counter(
        subject
        for subject, _ in {(_find_subject(each), each.scope) for each in listed if each.step}
    )
    links = Counter(link for link, _ in {(each.link, each.scope) for each in listed if each.link})
    found: dict[tuple[object, ...], list[Relation]] = defaultdict(list)
    for each in listed:
        subject = _find_subject(each)
        key = (
            each.scope.region,
            each.hub,
            each.status,
            each.step.get("about", ""),
            subject if users[subject] > 1 else "",
            each.link if not each.step and links[each.link] > 1 else "",
        )
        found[key].append(each)
    groups = map(_build_group, found.values())
    return sorted(groups, key=lambda it: (ORDER.index(it.status), -len(it.vpcs), it.vpcs))


def describe_groups(groups: Sequence[SpokeGroup]) -> str:
    """Describe in a sentence how many VPCs reach their central endpoints."""
    spokes = {each.scope for group in groups for each in group.relations}
    worst: dict[object, StepStatus] = {}
    for group in groups:
        for each in group.relations:
            former = worst.get(each.scope, StepStatus.HOLDS)
            worst[each.scope] = min(former, group.status, key=ORDER.index)
    counts = Counter(worst.values())
    hubs = {(group.hub, group.hub_account) for group in groups if group.hub}
    parts = [
        f"{counts[status]:,} {words}"
        for status, words in (
            (StepStatus.BROKEN, "not, or not for all services"),
            (StepStatus.PARTLY, "in part"),
            (StepStatus.UNKNOWN, "unknown"),
        )
        if counts[status]
    ]
    rest = f"; {', '.join(parts)}" if parts else ""
    return (
        f"{counts[StepStatus.HOLDS]:,} of {_count(len(spokes), 'VPC')} reach the central endpoints "
        f"of {_count(len(hubs), 'VPC')}{rest}."
    )


def name_some(names: Sequence[str]) -> str:
    """Name the first few, and count the others."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _build_group(relations: list[Relation]) -> SpokeGroup:
    first = relations[0]
    return SpokeGroup(
        tuple(relations),
        first.hub,
        first.hub_account,
        first.status,
        str(first.step.get("about", "")),
        tuple(dict.fromkeys(each.link for each in relations if each.link)),
        tuple(dict.fromkeys(_find_subject(each) for each in relations if each.step)),
        tuple(sorted({service for each in relations for service in each.services})),
        str(first.step.get("text", "")),
    )


def _find_subject(relation: Relation) -> str:
    return str(relation.step.get("subject", ""))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
