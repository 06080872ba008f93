"""One CloudTrail record that may move posture, reduced to where to look and whom to name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from posture.model.scope import Region


class ChangeOutcome(StrEnum):
    """Whether a record can have moved anything."""

    APPLIED = "applied"
    IGNORED = "ignored"  # failed, dry run, read only, or an event that moves no posture


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made the call, as CloudTrail tells it."""

    arn: str  # the caller's ARN; the service's name for a call that AWS makes by itself
    account: str  # twelve digits, or "" where CloudTrail names none
    kind: str  # userIdentity.type: IAMUser, AssumedRole, Root, AWSService, …
    invoked_by: str = ""  # the AWS service that called on somebody's behalf, or ""

    def __str__(self) -> str:
        return f"{self.arn} (through {self.invoked_by})" if self.invoked_by else self.arn


@dataclass(frozen=True, slots=True)
class Change:
    """One call, with the ids it names: an event says where to look, never what is true.

    `vpc_ids` and `service_ids` are scopes named outright; `resource_ids` are all the ids the record
    names (VPC ids included), from which the scopes are looked up. `sweeps` is set when the record
    concerns the whole account and region, whatever ids it names.
    """

    event_id: str
    event_name: str
    event_source: str
    time: datetime  # UTC
    region: Region  # the account whose resources moved, and its region
    actor: Actor
    source_ip: str
    user_agent: str
    vpc_ids: frozenset[str]
    service_ids: frozenset[str]
    resource_ids: frozenset[str]
    sweeps: bool = False
    outcome: ChangeOutcome = ChangeOutcome.APPLIED
    ignored_because: str = ""
