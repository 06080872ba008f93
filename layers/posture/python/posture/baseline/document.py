"""What the organisation wrote down, before it is applied to one scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from posture.model.baseline import Baseline
from posture.model.network import Tags
from posture.model.scope import Scope
from posture.model.waiver import Waiver


@dataclass(frozen=True, slots=True)
class Match:
    """Which scopes an override concerns: those that meet every kind of condition it states.

    An empty kind is no condition. A tag is met by any of its values, or by being there at all when
    `*` is among them.
    """

    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    vpcs: frozenset[str] = frozenset()
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def matches(self, scope: Scope, tags: Tags) -> bool:
        """Tell whether a scope with these tags is concerned."""
        return (
            (not self.accounts or scope.account in self.accounts)
            and (not self.regions or scope.region in self.regions)
            and (not self.vpcs or scope.subject in self.vpcs)
            and all(_met(tags.get(key), values) for key, values in self.tags.items())
        )


@dataclass(frozen=True, slots=True)
class Override:
    """What holds instead of the default where `match` is met; `settings` by field of a baseline."""

    name: str
    match: Match
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BaselineDocument:
    """The requirements of every scope that no override concerns, and the overrides in order.

    `waivers` are what is accepted for a time; they are kept beside the document, not in it.
    """

    default: Baseline = field(default_factory=Baseline)
    overrides: tuple[Override, ...] = ()
    waivers: tuple[Waiver, ...] = ()


def _met(value: str | None, wanted: frozenset[str]) -> bool:
    return value is not None and (value in wanted or "*" in wanted)
