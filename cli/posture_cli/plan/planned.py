"""What a plan does to one Region, however it was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from posture_cli.recorded.region import RecordedRegion


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One Region of one account before and after a plan.

    Attributes:
        before: The Region as it is, as far as it is known.
        after: The Region after the plan, in each reading of the plan; the first is the most likely.
            What differs between them is unknown.
        notes: Sentences about what is not known or not understood.
        choices: For each reading but the first, what it takes in another way than the first.
    """

    before: RecordedRegion
    after: Sequence[RecordedRegion]
    notes: Sequence[str] = ()
    choices: Sequence[str] = ()
