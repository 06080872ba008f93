"""The baseline document: defaults and overrides, before they are resolved for a scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from posture.lean_dataclass import dataclass
from posture.model.baseline import Baseline, has_tags
from posture.model.network import Tags
from posture.model.scope import Scope, ScopeNames
from posture.model.waiver import Waiver


@dataclass(frozen=True, slots=True)
class Match:
    """The conditions of an override; a scope must meet each kind that is not empty.

    A tag matches one of its values, or any value when `*` is among them.
    """

    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    vpcs: frozenset[str] = frozenset()
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def matches(self, scope: Scope, tags: Tags) -> bool:
        """Whether a scope with these tags meets all conditions."""
        return (
            (not self.accounts or scope.account in self.accounts)
            and (not self.regions or scope.region in self.regions)
            and (not self.vpcs or scope.subject in self.vpcs)
            and has_tags(tags, self.tags)
        )


@dataclass(frozen=True, slots=True)
class Override:
    """The fields of a baseline that replace the defaults where `match` is met."""

    name: str
    match: Match
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BaselineDocument:
    """The requirements of scopes that no override matches, and the overrides in order.

    `account_names` are the names of accounts that alerts show beside their ids. `waivers` are
    stored beside the document, not in it.
    """

    default: Baseline = field(default_factory=Baseline)
    overrides: tuple[Override, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    account_names: Mapping[str, str] = field(default_factory=dict)

    def list_account_paths(self) -> dict[str, str]:
        """Return the paths in the organization that are stated for accounts; `*` for all others.

        Those are of the default, and of overrides that match by accounts only.
        """
        found = {"*": self.default.organization}
        for each in self.overrides:
            if "organization" in each.settings and each.match == Match(each.match.accounts):
                found |= dict.fromkeys(each.match.accounts, each.settings["organization"])
        return found

    def name_scope(self, scope: Scope, tags: Tags) -> ScopeNames:
        """Return the names of a scope's subject, from its tags, and of its account."""
        return ScopeNames(tags.get("Name", ""), self.account_names.get(scope.account, ""))
