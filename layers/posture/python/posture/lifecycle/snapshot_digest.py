"""What a scope's findings hang on, as one digest: the same picture need not be judged again. Pure.

Judging is a pure function, so whoever sees what was seen before finds what was found before. All
that it is a function of is in the digest: the facts, what the baseline requires, which waivers
hold, the code itself and, as far as anything asks for it, the time (docs/decisions/0046).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from posture.analysis.grace import is_within_grace_period
from posture.lifecycle.waiving import Waivers
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.fingerprint import fingerprint
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture.policy.endpoint_dependence import depends_on_time

DAY = timedelta(days=1)  # how long a picture spares judging at the most
START = datetime(2000, 1, 1, tzinfo=UTC)

# What every VPC of a region shares: walked once, not once a VPC.
CATALOGUES = 16  # of services; one an account
LISTS = 1024


def digest_snapshot(
    snapshot: Snapshot | EndpointServiceSnapshot, waivers: Waivers, code: str = ""
) -> str:
    """Give the digest of all that the findings of this snapshot hang on.

    Args:
        snapshot: What was seen; when it was seen counts only where something asks for the time.
        waivers: What is accepted, with the baseline of the scope and the time.
        code: What tells this version of the monitor from any other.
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
        }
    )


def is_same_day(scope: Scope, before: datetime, now: datetime) -> bool:
    """Tell whether a picture that was current before can be that of now.

    Every scope has a time of day of its own at which its pictures change: so it is judged once a
    day at the least, which mends what somebody wrote into the tables by hand, and not all scopes
    are at once.
    """
    return _day(scope, before) == _day(scope, now)


def _day(scope: Scope, at: datetime) -> int:
    share = int.from_bytes(blake2b(str(scope).encode(), digest_size=4).digest()) / 2**32
    return (at - START + share * DAY) // DAY


def _time(snapshot: Snapshot, waivers: Waivers) -> Any:
    """Give the time as far as verdicts hang on it.

    That is for endpoints on their way, which are given a grace, and for policies with a condition
    on the hour: these are judged each time.
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
    """A value that equals itself alone, which is quicker to tell than what it is made of."""

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
