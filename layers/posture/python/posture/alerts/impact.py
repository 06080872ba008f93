"""Root causes that several findings share, so that an alert can name each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from posture.lean_dataclass import dataclass
from posture.model.finding import Step, Transition

# Resource kinds by id prefix.
KINDS = {
    "subnet": "subnet",
    "rtb": "route table",
    "acl": "network ACL",
    "vpce": "endpoint",
    "nat": "NAT gateway",
}


@dataclass(frozen=True, slots=True)
class Impact:
    """The transitions that share a root cause and a step."""

    root: str
    step: Step
    transitions: tuple[Transition, ...]

    @property
    def resources(self) -> dict[str, int]:
        """The number of affected resources by kind, the largest first."""
        ids = {each.finding.resource for each in self.transitions}
        counts = Counter(KINDS.get(each.partition("-")[0], "resource") for each in ids)
        return {f"{kind}s" if many > 1 else kind: many for kind, many in counts.most_common()}

    @property
    def description(self) -> str:
        """The impact as a phrase, as in `14 subnets affected: rtb-1 has no route to …`."""
        counts = ", ".join(f"{count} {name}" for name, count in self.resources.items())
        state = "no longer affected" if self.step is Step.RESOLVED else "affected"
        return f"{counts} {state}: {self.root}"

    @property
    def largest_group(self) -> str:
        """The largest group of affected resources, as in `14 subnets`."""
        name, count = next(iter(self.resources.items()))
        return f"{count} {name}"


def group_impacts(transitions: Iterable[Transition]) -> tuple[Impact, ...]:
    """Group transitions by root cause and step; return the groups of more than one."""
    groups: dict[tuple[str, Step], list[Transition]] = {}
    for each in transitions:
        root = each.finding.verdict.root
        if root:
            groups.setdefault((root, each.step), []).append(each)
    return tuple(
        Impact(root, step, tuple(found)) for (root, step), found in groups.items() if len(found) > 1
    )
