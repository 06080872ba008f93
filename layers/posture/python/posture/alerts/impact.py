"""What one thing at the root brought about: named once, however many findings it opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from posture.model.finding import Step, Transition

# Resources by the beginning of their ids.
KINDS = {
    "subnet": ("subnet", "subnets"),
    "rtb": ("route table", "route tables"),
    "acl": ("network ACL", "network ACLs"),
    "vpce": ("endpoint", "endpoints"),
    "nat": ("NAT gateway", "NAT gateways"),
}
OTHER = ("resource", "resources")


@dataclass(frozen=True, slots=True)
class Impact:
    """Findings of one root that took the same step: opened together, or resolved together."""

    root: str
    step: Step
    transitions: tuple[Transition, ...]

    @property
    def resources(self) -> dict[str, int]:
        """How many resources of each kind suffer, by the kind's name, the most first."""
        ids = {each.finding.resource for each in self.transitions}
        counts = Counter(KINDS.get(each.partition("-")[0], OTHER) for each in ids)
        return {names[count > 1]: count for names, count in counts.most_common()}

    @property
    def description(self) -> str:
        """As in `route table rtb-1 has no route to the gateway endpoint of s3: 14 subnets`."""
        counts = ", ".join(f"{count} {name}" for name, count in self.resources.items())
        ended = "no longer: " if self.step is Step.RESOLVED else ""
        return f"{ended}{self.root}: {counts}"

    @property
    def largest_group(self) -> str:
        """The resources it hits most of, as in `14 subnets`, for a line that has little room."""
        name, count = next(iter(self.resources.items()))
        return f"{count} {name}"


def group_impacts(transitions: Iterable[Transition]) -> tuple[Impact, ...]:
    """Give the roots that several findings share, in the order of the first of each."""
    groups: dict[tuple[str, Step], list[Transition]] = {}
    for each in transitions:
        root = each.finding.verdict.root
        if root:
            groups.setdefault((root, each.step), []).append(each)
    return tuple(
        Impact(root, step, tuple(found)) for (root, step), found in groups.items() if len(found) > 1
    )
