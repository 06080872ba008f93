"""The filter `--actor`, which has the same forms in every command. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from posture.model.change import IDENTITY_CENTER_USER, THROUGH
from posture.model.finding import Attribution, Cause, Finding, Transition
from posture.model.waiver import Waiver

EXPECTED = (
    "an ARN, the name of a role, session or user (Deploy, alice, Deploy/alice), "
    "an account of 12 digits or a service (cloudformation.amazonaws.com)"
)
ARN = re.compile(r"arn:(?P<partition>aws[a-z-]*):(iam|sts)::(?P<account>\d{12}):(?P<resource>.+)")
ACCOUNT = re.compile(r"\d{12}")
SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
NAME = re.compile(r"[\w+=,.@-]{1,128}(/[\w+=,.@-]{1,128})*")
ROLE_PATH = re.compile(r"(arn:[^:]+:iam::\d{12}:role/).+/")  # which ARNs of sessions do not have
# What `Actor.describe_identity` says.
IDENTITIES = tuple(
    re.compile(form)
    for form in (
        r"source identity ([^,]+)",
        rf"{IDENTITY_CENTER_USER} ([^,]+)",
        r"account (\d{12})",
    )
)


class ActorRole(StrEnum):
    """What an actor did to a finding."""

    OPENER = "opener"
    RESOLVER = "resolver"
    CHANGER = "changer"  # caused its latest change, which may be its opening or resolution
    ANY = "any"


@dataclass(frozen=True, slots=True)
class ActorFilter:
    """One actor, or all of a role or an account, as a person names them."""

    text: str

    @classmethod
    def parse(cls, text: str) -> ActorFilter:
        """Parse what a person gave.

        Raises:
            ValueError: It has none of the forms.
        """
        forms = (ARN,) if text.startswith("arn:") else (ACCOUNT, SERVICE, NAME)
        if not any(form.fullmatch(text) for form in forms):
            raise ValueError(f"{text!r} is not {EXPECTED}")
        return cls(text)

    @property
    def caller(self) -> str | None:
        """The one caller that the text is the whole name of, which an index finds; or None."""
        arn = ARN.fullmatch(self.text)
        if arn is None:
            return None
        kind, _, path = arn["resource"].partition("/")
        of_many = kind == "role" or (kind == "assumed-role" and "/" not in path)
        return None if of_many else self.text

    @property
    def account(self) -> str | None:
        """The account that the text names; None if it names none."""
        if ACCOUNT.fullmatch(self.text):
            return self.text
        arn = ARN.fullmatch(self.text)
        return arn["account"] if arn else None

    def matches_actor(self, actor: str, identity: str = "") -> bool:
        """Whether an actor, as findings show it, is meant.

        Args:
            actor: The ARN or service, with the service that made the call for it, if one did.
            identity: What else is known of the caller.
        """
        names = set(list_names(actor, identity))
        if self.text.startswith("arn:"):
            return ROLE_PATH.sub(r"\1", self.text) in names
        return self.text.lower() in {name.lower() for name in names}

    def matches(self, attribution: Attribution | None) -> bool:
        """Whether an actor that is meant caused something, or can have caused it."""
        possible = attribution.possible if attribution else ()
        return any(self._matches_cause(each) for each in possible)

    def matches_finding(self, finding: Finding, role: ActorRole = ActorRole.ANY) -> bool:
        """Whether an actor that is meant opened, resolved or changed a finding, or can have."""
        parts = {
            ActorRole.OPENER: finding.opened_by,
            ActorRole.RESOLVER: finding.resolved_by,
            ActorRole.CHANGER: finding.caused_by,
        }
        chosen = parts.values() if role is ActorRole.ANY else (parts[role],)
        return any(map(self.matches, chosen))

    def matches_transition(self, transition: Transition) -> bool:
        """Whether an actor that is meant caused a transition, or can have caused it."""
        return any(map(self.matches, transition.attributions))

    def matches_waiver(self, waiver: Waiver) -> bool:
        """Whether an actor that is meant requested, approved or revoked a waiver."""
        return any(map(self.matches_actor, list_persons(waiver)))

    def _matches_cause(self, cause: Cause) -> bool:
        return self.matches_actor(cause.actor, cause.identity)


def list_persons(waiver: Waiver) -> Iterator[str]:
    """List who requested, approved and revoked a waiver."""
    return filter(None, (waiver.requested_by, waiver.approved_by, waiver.revoked_by))


def list_names(actor: str, identity: str = "") -> Iterator[str]:
    """List every text that names an actor.

    A role is named by its own ARN as well as by those of its sessions; an ARN that has a path in
    IAM has none in STS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    actor, _, service = actor.partition(THROUGH)
    yield from (service.removesuffix(")"), actor)
    yield from chain.from_iterable(each.findall(identity) for each in IDENTITIES)
    arn = ARN.fullmatch(actor)
    if arn is None:
        yield actor.partition(":")[2]  # a principal id of a role ends with the session
        return
    yield arn["account"]
    kind, _, path = arn["resource"].partition("/")
    name = path.rpartition("/")[2]
    yield name or kind  # `root` has no path
    if kind == "assumed-role":
        role = path.partition("/")[0]
        yield from (role, path)
        yield f"arn:{arn['partition']}:iam::{arn['account']}:role/{role}"
        yield actor.rpartition("/")[0]
