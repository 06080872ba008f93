"""An accepted risk: what, by whom, why, and until when. Times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from posture.model.scope import Scope


@dataclass(frozen=True, slots=True)
class Waiver:
    """One rule's failures that somebody accepts for a time.

    `resource` and `scope` are patterns in which `*` stands for anything; a scope is
    ACCOUNT/REGION/VPC. People are ARNs. A waiver that nobody had to approve was approved by whoever
    requested it.
    """

    id: str
    rule: str
    resource: str
    scope: str
    reason: str
    ticket: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    approved_by: str = ""
    approved_at: datetime | None = None
    revoked_by: str = ""
    revoked_at: datetime | None = None

    def covers(self, scope: Scope, rule: str, resource: str) -> bool:
        """Tell whether it speaks of a finding."""
        return self.rule == rule and fnmatchcase(resource, self.resource) and self.concerns(scope)

    def concerns(self, scope: Scope) -> bool:
        """Tell whether it speaks of findings of this scope."""
        return fnmatchcase(str(scope), self.scope)

    def state(self, at: datetime) -> str:
        """Give how it stands: requested, in force, expired or revoked."""
        if self.revoked_at and self.revoked_at <= at:
            return "revoked"
        if self.expires_at <= at:
            return "expired"
        approved = self.approved_at is not None and self.approved_at <= at
        return "in force" if approved else "requested"

    def holds(self, at: datetime, *, max_days: int, second_person: bool) -> bool:
        """Tell whether it excuses at an instant, by what the baseline demands of waivers.

        A waiver that lasts longer than allowed, or that only one person wanted where two are
        demanded, excuses nothing, however it came into the table.
        """
        return (
            self.state(at) == "in force"
            and self.expires_at - self.requested_at <= timedelta(days=max_days)
            and not (
                second_person
                and identify_person(self.approved_by) == identify_person(self.requested_by)
            )
        )

    def ended(self, at: datetime) -> str:
        """Say how it ended, or that it no longer excuses."""
        state = self.state(at)
        how = {"expired": "has expired", "revoked": "was revoked"}
        return f"waiver {self.id} {how.get(state, 'no longer holds')}"


def identify_person(arn: str) -> str:
    """Give whom an ARN stands for: a user, or the session of a role, whichever the role.

    The same person in two roles is one person.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    return arn.rpartition("/")[2].lower()
