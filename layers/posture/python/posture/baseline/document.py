"""What the organisation wrote down, before it is applied to one scope."""

from __future__ import annotations

from dataclasses import dataclass, field

from posture.model.baseline import Baseline


@dataclass(frozen=True, slots=True)
class BaselineDocument:
    """The requirements of every scope that no override concerns."""

    default: Baseline = field(default_factory=Baseline)
