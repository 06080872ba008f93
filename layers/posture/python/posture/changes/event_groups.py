"""Groups of API calls with the reason why the monitor handles or ignores them."""

from __future__ import annotations

from posture.lean_dataclass import dataclass
from posture.model.shared_kind import SharedKind

EC2 = "ec2.amazonaws.com"  # the `eventSource` of its records
OMITTED = {"omitted": [True]}  # the pattern of a request that CloudTrail left out for its size


@dataclass(frozen=True, slots=True)
class SurveyedFacts:
    """The facts of the shared network that a survey reads again after a call.

    They are read in the account of the call, and if it `spreads` in every other account, too.
    """

    kinds: frozenset[SharedKind] = frozenset()
    spreads: bool = False


NO_FACTS = SurveyedFacts()


@dataclass(frozen=True, slots=True)
class EventGroup:
    """Event names of one family that are handled or ignored for the same reason."""

    family: str
    reason: str
    names: tuple[str, ...]
    source: str = EC2
    survey: SurveyedFacts = NO_FACTS


def build_group(
    family: str, reason: str, names: str, source: str = EC2, survey: SurveyedFacts = NO_FACTS
) -> EventGroup:
    """Build a group from names that are separated by spaces."""
    return EventGroup(family, reason, tuple(names.split()), source, survey)
