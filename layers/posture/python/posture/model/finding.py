"""Findings: failed verdicts from when they open to when they resolve. Times are UTC."""

from __future__ import annotations

import hashlib
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from posture.lean_dataclass import dataclass
from posture.model.rule_ids import first_rule_id
from posture.model.scope import NO_NAMES, Scope, ScopeNames
from posture.model.verdict import Severity, Verdict


class FindingStatus(StrEnum):
    """The status of a finding."""

    OPEN = "open"
    UNKNOWN = "unknown"  # the rule could not be evaluated
    RESOLVED = "resolved"
    WAIVED = "waived"


class Step(StrEnum):
    """The kind of a transition."""

    OPENED = "opened"
    CHANGED = "changed"
    RESOLVED = "resolved"
    WAIVED = "waived"  # accepted until the waiver expires
    TRANSIENT = "transient"  # bad for a while between two observations, good at both
    AMENDED = "cause amended"  # the same state, of which the cause is known better now


class CauseKind(StrEnum):
    """What kind of event changed a verdict. A tag is a call: CreateTags or DeleteTags."""

    CALL = "call"  # a CloudTrail event
    BASELINE = "baseline"  # a version of the baseline
    WAIVER = "waiver"  # its approval or revocation
    CLOCK = "clock"  # a waiver expired, or a grace period ended
    UPGRADE = "upgrade"  # of the monitor's rules
    SHARED_NETWORK = "shared-network"  # a fact that several VPCs share changed


@dataclass(frozen=True, slots=True)
class Cause:
    """What caused a transition: a call, or another event that changes verdicts.

    Attributes:
        event_id: The id of the CloudTrail event, waiver or baseline version; the digest of the
            code after an upgrade; "" for the end of a grace period and the shared network.
        event_name: The call; for other kinds `PutBaseline`, `ApproveWaiver`, `RevokeWaiver`,
            `WaiverExpired`, `GracePeriodEnded`, `PolicyDateReached`, `RulesUpgraded` or
            `SharedNetworkChanged`.
        actor: Who made the call, published the baseline or decided on the waiver; "" for the other
            kinds.
        time: When it happened; for an upgrade and the shared network, when it was first seen.
        source_ip: Where the call came from; "" for other kinds.
        user_agent: The program that made the call; "" for other kinds.
        kind: The kind of event.
        identity: What else the event says of who made the call: the source identity of a role's
            session, the IAM Identity Center user, the account if it is another one.
    """

    event_id: str
    event_name: str
    actor: str
    time: datetime
    source_ip: str = ""
    user_agent: str = ""
    kind: CauseKind = CauseKind.CALL
    identity: str = ""


REPAIRED = "repaired"  # the reason of a resolution: the same resource now passes
MAX_CANDIDATES = 5  # that an attribution names


@dataclass(frozen=True, slots=True)
class Attribution:
    """What is known of the cause of a transition.

    Exactly one event can have caused it: `cause`. Several can: `candidates`, the latest first, at
    most MAX_CANDIDATES. Neither: the cause is unknown.
    """

    cause: Cause | None = None
    candidates: tuple[Cause, ...] = ()

    @property
    def possible(self) -> tuple[Cause, ...]:
        """The cause, or else the candidates."""
        return (self.cause,) if self.cause else self.candidates

    @property
    def actors(self) -> tuple[str, ...]:
        """Who can have caused it, each once; the clock and an upgrade have no actor."""
        return tuple(dict.fromkeys(each.actor for each in self.possible if each.actor))

    @property
    def actor(self) -> str | None:
        """Who caused it for certain; None if several can have caused it, or no caller is known.

        All candidates may be calls of one actor. A full list of candidates may lack another one.
        """
        if len(self.candidates) == MAX_CANDIDATES or not all(it.actor for it in self.possible):
            return None
        return self.actors[0] if len(self.actors) == 1 else None


UNKNOWN_CAUSE = Attribution()


@dataclass(frozen=True, slots=True)
class Finding:
    """The latest state of one rule on one resource of one scope.

    `version` counts transitions from 1. `opened_at` is when the finding last opened; `updated_at`
    is the observation time of the evaluation that last changed its status or verdict; an amended
    cause leaves it as it is.

    `opened_by` is what opened it at `opened_at`, `resolved_by` what resolved it (None unless it is
    resolved), and `caused_by` what caused the latest transition.

    `names` are those of its scope when its last transition was observed.

    `verdict_digest` is set where a former version of the monitor worded `verdict`: the next
    evaluation compares its own verdict with this digest instead ("": no digest is known yet).
    """

    scope: Scope
    rule: str
    resource: str
    status: FindingStatus
    severity: Severity
    verdict: Verdict
    version: int
    opened_at: datetime
    updated_at: datetime
    opened_by: Attribution = UNKNOWN_CAUSE
    resolved_by: Attribution | None = None
    caused_by: Attribution = UNKNOWN_CAUSE
    names: ScopeNames = NO_NAMES
    verdict_digest: str | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """The id, always the same for a rule and resource of a scope."""
        return finding_id(self.scope, self.rule, self.resource)

    def is_ahead_of(self, latest: datetime) -> bool:
        """Whether it holds a time after `latest`: a clock was wrong, or the item was edited."""
        return self.updated_at > latest or self.opened_at > latest

    @property
    def cause(self) -> Cause | None:
        """The cause of the latest transition; None where it is not known for certain."""
        return self.caused_by.cause


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a finding, recorded in the history and alerted; `finding` is the new state."""

    step: Step
    finding: Finding
    reason: str = ""  # why the finding resolved, such as `repaired`

    @property
    def is_lasting(self) -> bool:
        """Whether it changes the finding: a transient one is over, and has the version 0."""
        return self.finding.version > 0

    @property
    def origin(self) -> tuple[str, ...]:
        """What tells a transient finding from others: its id, and the event it began with.

        Duplicates of its events, and others that arrive later, lead to the same.
        """
        return self.finding.id, *(each.event_id for each in self.finding.opened_by.possible)

    @property
    def attributions(self) -> tuple[Attribution, ...]:
        """What caused it: both ends of a transient finding, all that is known once amended."""
        finding = self.finding
        if self.step is Step.TRANSIENT:
            return finding.opened_by, finding.resolved_by or UNKNOWN_CAUSE
        if self.step is Step.AMENDED:
            known = finding.opened_by, finding.resolved_by, finding.caused_by
            return tuple(each for each in known if each and each.possible)
        return (finding.caused_by,)

    @property
    def actors(self) -> tuple[str, ...]:
        """Who caused it, or can have caused it, each once."""
        return tuple(dict.fromkeys(actor for each in self.attributions for actor in each.actors))

    @property
    def actor(self) -> str | None:
        """Who caused it for certain, alone; None if several did or can have, or none is known."""
        sure = {each.actor for each in self.attributions}
        return sure.pop() if len(sure) == 1 else None


def finding_id(scope: Scope, rule: str, resource: str) -> str:
    """Return a finding's id: `f-` and 20 hexadecimal digits of a SHA-256 digest.

    The rule's first id is hashed, so that a finding keeps its id when its rule is renamed.
    """
    digest = hashlib.sha256(f"{scope}|{first_rule_id(rule)}|{resource}".encode()).hexdigest()
    return f"f-{digest[:20]}"
