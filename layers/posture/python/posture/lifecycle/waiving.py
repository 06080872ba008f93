"""Which failures somebody has accepted for now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from posture.model.baseline import Baseline
from posture.model.finding import Cause
from posture.model.scope import Scope
from posture.model.waiver import Waiver


@dataclass(frozen=True, slots=True)
class Waivers:
    """The waivers that there are, as they hold for one scope at one instant."""

    scope: Scope
    at: datetime
    waivers: Sequence[Waiver] = ()
    baseline: Baseline = field(default_factory=Baseline)

    def find_waiver(self, rule: str, resource: str) -> Waiver | None:
        """Give the waiver that excuses a failure; of several the one that lasts longest."""
        holding = [it for it in self._about(rule, resource) if self._holds(it)]
        return max(holding, key=lambda it: (it.expires_at, it.id), default=None)

    def list_active(self) -> tuple[Waiver, ...]:
        """Give all that excuse anything in the scope now."""
        return tuple(it for it in self.waivers if it.covers_scope(self.scope) and self._holds(it))

    def find_ended(self, rule: str, resource: str) -> Waiver | None:
        """Give the waiver that excused a failure until lately."""
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


def approval_cause(waiver: Waiver) -> Cause:
    """Give who brought it about that a finding is waived."""
    by, at = waiver.approved_by, waiver.approved_at or waiver.requested_at
    return Cause(waiver.id, "ApproveWaiver", by, at)


def revocation_cause(waiver: Waiver | None) -> Cause | None:
    """Give who ended a waiver; nobody did where it expired."""
    if waiver is None or waiver.revoked_at is None:
        return None
    return Cause(waiver.id, "RevokeWaiver", waiver.revoked_by, waiver.revoked_at)
