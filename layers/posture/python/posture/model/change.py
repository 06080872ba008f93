"""A change: what a CloudTrail record says about which scopes to evaluate and who made the call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from posture.lean_dataclass import dataclass
from posture.model.scope import Region
from posture.model.shared_kind import SharedKind

THROUGH = " (through "  # follows a caller for whom an AWS service made the call
IDENTITY_CENTER_USER = "IAM Identity Center user"


class ChangeOutcome(StrEnum):
    """Whether a call can have changed the posture of a scope."""

    APPLIED = "applied"
    TAMPERING = "tampering"  # can have stopped the monitor itself
    SURVEYED = "surveyed"  # changed the shared network alone, which a survey reads
    IGNORED = "ignored"  # failed, a dry run, read-only or not monitored


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller, as CloudTrail names it."""

    arn: str  # the caller's ARN, or the service's name if an AWS service made the call
    account: str  # 12-digit account id, or "" if the record has none
    kind: str  # userIdentity.type: IAMUser, AssumedRole, Root, AWSService, …
    invoked_by: str = ""  # the AWS service that made the call for the caller, or ""
    source_identity: str = ""  # that was set when the caller's role was first assumed
    identity_center_user: str = ""  # the id of the user on whose behalf the call was made

    def __str__(self) -> str:
        return f"{self.arn}{THROUGH}{self.invoked_by})" if self.invoked_by else self.arn

    def describe_identity(self, account: str) -> str:
        """Describe what else is known of the caller, who may be of another account than `account`.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
        """
        user, foreign = self.identity_center_user, self.account not in {"", account}
        known = (
            self.source_identity and f"source identity {self.source_identity}",
            user and user not in self.arn and f"{IDENTITY_CENTER_USER} {user}",
            foreign and f"account {self.account}",
        )
        return ", ".join(each for each in known if each)


@dataclass(frozen=True, slots=True)
class Change:
    """One call and the ids it names. It says which scopes to observe, not what their state is.

    `vpc_ids` and `service_ids` are scopes. `resource_ids` are all ids in the record, VPC ids
    included, from which further scopes are resolved. `other_vpc_ids` are VPCs of other accounts.
    `sweeps` is set if the call concerns the whole account and region.

    `request` holds the call's parameters as boto3 takes them, without resources for which the call
    failed; None if the record has them in no form that can be read, or no edit models the call.
    `created` is the id of what the call created, "" if the record names none.

    `kinds` are the facts of the shared network that the call may have changed, which a survey reads
    again: in the account of `region`, and if it `spreads` in every other account that sees them.
    The Region of a call to a global service is that of its events, such as us-east-1.
    """

    event_id: str
    event_name: str
    event_source: str
    time: datetime  # UTC
    region: Region  # the account and region of the changed resources
    actor: Actor
    source_ip: str
    user_agent: str
    vpc_ids: frozenset[str]
    service_ids: frozenset[str]
    resource_ids: frozenset[str]
    other_vpc_ids: frozenset[str] = frozenset()
    sweeps: bool = False
    outcome: ChangeOutcome = ChangeOutcome.APPLIED
    ignored_because: str = ""
    request: Mapping[str, Any] | None = field(default=None, hash=False)
    created: str = ""
    kinds: frozenset[SharedKind] = frozenset()
    spreads: bool = False
