"""Waivers: risks that are accepted until a date. Times are UTC."""

from __future__ import annotations

from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from posture.lean_dataclass import dataclass
from posture.model.scope import Scope


@dataclass(frozen=True, slots=True)
class Waiver:
    """The acceptance of one rule's failures until a date.

    `resource` and `scope` are patterns in which `*` matches any text; a scope has the form
    ACCOUNT/REGION/VPC. Persons are ARNs. If no approval is required, the requester is recorded as
    the approver.
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
        """Whether the waiver applies to a finding."""
        return (
            self.rule == rule and fnmatchcase(resource, self.resource) and self.covers_scope(scope)
        )

    def covers_scope(self, scope: Scope) -> bool:
        """Whether the waiver applies to findings of a scope."""
        return fnmatchcase(str(scope), self.scope)

    def state(self, at: datetime) -> str:
        """Return the waiver's state: requested, in force, expired or revoked."""
        if self.revoked_at and self.revoked_at <= at:
            return "revoked"
        if self.expires_at <= at:
            return "expired"
        approved = self.approved_at is not None and self.approved_at <= at
        return "in force" if approved else "requested"

    def is_effective(self, at: datetime, *, max_days: int, second_person: bool) -> bool:
        """Whether the waiver is in force and meets the baseline's requirements for waivers.

        The baseline limits the term of a waiver and may require a second person to approve it. The
        requirements are checked here as well, in case the table was written by other means.
        """
        return (
            self.state(at) == "in force"
            and self.expires_at - self.requested_at <= timedelta(days=max_days)
            and not (
                second_person
                and identify_person(self.approved_by) == identify_person(self.requested_by)
            )
        )

    def describe_end(self, at: datetime) -> str:
        """Describe why the waiver no longer applies."""
        state = self.state(at)
        how = {"expired": "has expired", "revoked": "was revoked"}
        return f"waiver {self.id} {how.get(state, 'no longer applies')}"


def identify_person(arn: str) -> str:
    """Return the user name or role session name of an ARN.

    It is the same for one person in two roles.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    return arn.rpartition("/")[2].lower()
