"""Which failures are waived. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from datetime import datetime

from posture.lean_dataclass import dataclass
from posture.model.baseline import Baseline
from posture.model.finding import UNKNOWN_CAUSE, Attribution, Cause, CauseKind
from posture.model.scope import Scope
from posture.model.waiver import Waiver


@dataclass(frozen=True, slots=True)
class Waivers:
    """All waivers, as they apply to one scope at one time, and the scope's baseline."""

    scope: Scope
    at: datetime
    waivers: Sequence[Waiver] = ()
    baseline: Baseline = field(default_factory=Baseline)

    def find_waiver(self, rule: str, resource: str) -> Waiver | None:
        """Return the waiver in force for a failure; of several, the one that expires last."""
        holding = [it for it in self._about(rule, resource) if self._holds(it)]
        return max(holding, key=lambda it: (it.expires_at, it.id), default=None)

    def list_active(self) -> tuple[Waiver, ...]:
        """Return all waivers in force for the scope."""
        return tuple(it for it in self.waivers if it.covers_scope(self.scope) and self._holds(it))

    def find_ended(self, rule: str, resource: str) -> Waiver | None:
        """Return the waiver for a failure that ended last."""
        over = [it for it in self._about(rule, resource) if not self._holds(it)]
        return max(over, key=lambda it: (it.revoked_at or it.expires_at, it.id), default=None)

    def _about(self, rule: str, resource: str) -> list[Waiver]:
        return [it for it in self.waivers if it.covers(self.scope, rule, resource)]

    def _holds(self, waiver: Waiver) -> bool:
        return waiver.is_effective(
            self.at,
            max_days=self.baseline.waiver_max_days,
            second_person=self.baseline.waiver_approval,
        )


def attribute_approval(waiver: Waiver) -> Attribution:
    """Attribute that a finding is waived to the approval of the waiver."""
    by, at = waiver.approved_by, waiver.approved_at or waiver.requested_at
    return Attribution(Cause(waiver.id, "ApproveWaiver", by, at, kind=CauseKind.WAIVER))


def attribute_end(waiver: Waiver | None, at: datetime) -> Attribution:
    """Attribute that a finding is no longer waived at `at` to the waiver's end."""
    state = waiver.state(at) if waiver else ""
    if waiver and waiver.revoked_at and state == "revoked":
        by, when = waiver.revoked_by, waiver.revoked_at
        return Attribution(Cause(waiver.id, "RevokeWaiver", by, when, kind=CauseKind.WAIVER))
    if waiver and state == "expired":
        expiry = Cause(waiver.id, "WaiverExpired", "", waiver.expires_at, kind=CauseKind.CLOCK)
        return Attribution(expiry)
    return UNKNOWN_CAUSE
