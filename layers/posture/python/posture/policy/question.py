"""The questions that are asked about a policy, as the requests that count for each of them."""

from __future__ import annotations

from posture.lean_dataclass import dataclass
from posture.policy.automata import PatternSet
from posture.policy.policy_check import Trust
from posture.policy.request import CallerKind
from posture.policy.request_case import Caller, OwnerKind, ResourceOwner


@dataclass(frozen=True, slots=True)
class Question:
    """Is there an allowed request that counts? Direct callers only, unless stated otherwise.

    Attributes:
        untrusted_principal: Only requests of untrusted principals count.
        untrusted_resource: Only requests for untrusted resources count.
        by_service: AWS services are the callers.
        forwarded: AWS services are the callers, with a principal's credentials.
        denied: A request must be denied instead of allowed.
        allowed_actions: Requests with these actions do not count.
        only_resources: Only requests for these resources count.
    """

    untrusted_principal: bool = False
    untrusted_resource: bool = False
    by_service: bool = False
    forwarded: bool = False
    denied: bool = False
    allowed_actions: PatternSet | None = None
    only_resources: PatternSet | None = None

    @property
    def is_about_trust(self) -> bool:
        """Whether only requests of, or for, who is not trusted count."""
        return self.untrusted_principal or self.untrusted_resource

    def may_count(self, caller: Caller, trust: Trust) -> bool:
        """Return whether requests of a caller may count, whatever their resource."""
        if not self.untrusted_principal or caller.kind is not CallerKind.PRINCIPAL:
            return True
        return not trust.covers(caller.account, caller.organization)

    def counts(self, caller: Caller, owner: ResourceOwner, trust: Trust) -> bool:
        """Return whether requests of a caller for the resources of an owner count."""
        if self.untrusted_principal and not _is_untrusted_caller(caller, owner, trust):
            return False
        return not self.untrusted_resource or _is_untrusted_owner(owner, trust)


def _is_untrusted_caller(caller: Caller, owner: ResourceOwner, trust: Trust) -> bool:
    if caller.kind is CallerKind.FEDERATED:  # it becomes the role that it assumes
        is_account = owner.kind is OwnerKind.ACCOUNT
        return is_account and not trust.covers(owner.account, owner.organization)
    if caller.kind is CallerKind.PRINCIPAL:
        return not trust.covers(caller.account, caller.organization)
    return True


def _is_untrusted_owner(owner: ResourceOwner, trust: Trust) -> bool:
    if owner.kind is OwnerKind.AWS or owner.account in trust.of_aws:
        return trust.strict
    return not trust.covers(owner.account, owner.organization)
