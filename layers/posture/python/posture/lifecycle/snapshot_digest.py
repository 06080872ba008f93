"""The digest of everything that a scope's findings depend on. Pure.

An evaluation is a pure function, so the same digest means the same findings. It covers the
snapshot, the baseline, the waivers in force, the code and, where something depends on it, the time
(docs/decisions/0046).
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from posture.analysis.grace import is_within_grace_period
from posture.lean_dataclass import dataclass
from posture.lifecycle.waiving import Waivers
from posture.model.fingerprint import fingerprint
from posture.model.network import Snapshot
from posture.model.region_access import AnySnapshot
from posture.model.scope import Scope
from posture.policy.endpoint_dependence import depends_on_time

DAY = timedelta(days=1)  # a scope is evaluated at least once in this time
START = datetime(2000, 1, 1, tzinfo=UTC)

# What all VPCs of a region share is digested once.
CATALOGUES = 16  # of services; one an account
LISTS = 1024


def digest_snapshot(
    snapshot: AnySnapshot, waivers: Waivers, code: str = "", shared: str = ""
) -> str:
    """Digest all that the findings of a snapshot depend on.

    Args:
        snapshot: The snapshot; its time counts only where something depends on it.
        waivers: The waivers, with the baseline of the scope.
        code: The digest of this version of the monitor.
        shared: The digest of what it depends on in the shared network; "" where that is not read.
    """
    facts = {
        each.name: getattr(snapshot, each.name)
        for each in fields(snapshot)
        if each.name != "observed_at"
    }
    if isinstance(snapshot, Snapshot):
        lists = snapshot.prefix_lists
        facts["services"] = _of_catalogue(_Same(snapshot.services))
        facts["prefix_lists"] = {name: _of_list(_Same(lists[name])) for name in lists}
        facts["time"] = _time(snapshot, waivers)
    return fingerprint(
        {
            **facts,
            "baseline": waivers.baseline,
            "waivers": waivers.list_active(),
            "day": _day(snapshot.scope, snapshot.observed_at),
            "code": code,
            **({"shared": shared} if shared else {}),
        }
    )


def digest_catalogue(snapshot: Snapshot) -> str:
    """Digest what all VPCs of a Region share: the endpoint services, and AWS's prefix lists."""
    lists = snapshot.prefix_lists.items()
    aws = {name: _of_list(_Same(each)) for name, each in lists if each.aws_managed}
    return fingerprint({"services": _of_catalogue(_Same(snapshot.services)), "lists": aws})


def is_same_day(scope: Scope, before: datetime, now: datetime) -> bool:
    """Whether a digest from one time can be the same at another.

    Each scope has its own time of day at which its digest changes, so that it is evaluated at least
    once a day, which corrects tables that were edited by hand, and scopes take turns.
    """
    return _day(scope, before) == _day(scope, now)


def _day(scope: Scope, at: datetime) -> int:
    share = int.from_bytes(blake2b(str(scope).encode(), digest_size=4).digest()) / 2**32
    return (at - START + share * DAY) // DAY


def _time(snapshot: Snapshot, waivers: Waivers) -> Any:
    """Return the time as far as verdicts depend on it.

    They do for pending endpoints within their grace period, and for policies with a condition on
    the time, which are evaluated each time.
    """
    at = snapshot.observed_at
    endpoints = snapshot.endpoints.values()
    new = frozenset(
        each.id for each in endpoints if is_within_grace_period(each, waivers.baseline, at)
    )
    timed = any(depends_on_time(each.policy or "") for each in endpoints)
    return new, at if timed else None


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A value compared by identity, which is faster than by content."""

    value: Any

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


@lru_cache(CATALOGUES)
def _of_catalogue(services: _Same) -> str:
    return fingerprint(services.value)


@lru_cache(LISTS)
def _of_list(prefixes: _Same) -> str:
    return fingerprint(prefixes.value)
