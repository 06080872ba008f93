"""Enumerate the request cases that a policy can distinguish.

A case combines a caller, a resource owner, a service and an endpoint. Of all accounts that a policy
treats alike, one is an example, so that the cases are finite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import islice, product

from posture.policy import keys, service_actions
from posture.policy.document import Policy, Statement
from posture.policy.mentions import (
    EXTERNAL_ACCOUNTS,
    EXTERNAL_ORGANIZATIONS,
    NameForm,
    collect_mentions,
)
from posture.policy.policy_check import EndpointContext, Trust
from posture.policy.question import Question
from posture.policy.request import CallerKind
from posture.policy.request_case import Assigned, Caller, OwnerKind, ResourceOwner
from posture.policy.search_budget import SearchBudget
from posture.policy.service_reference import has_actions
from posture.policy.shapes import ACCOUNTS, ORGANIZATIONS, may_be_owned_by_aws

PRINCIPAL_TYPES = ("AssumedRole", "User", "Account", "FederatedUser")
OTHER_SERVICES = ("sqs", "sns", "lambda", "kinesis", "states", "glue", "athena", "events", "logs")
SAMPLE = "sample"  # the value of a variable if the policy suggests no better one
MAX_ENDPOINTS = 16
MAX_ASSIGNMENTS = 64


class CaseEnumeration:
    """The request cases of one policy at one endpoint."""

    def __init__(
        self, policy: Policy, endpoint: EndpointContext, trust: Trust, budget: SearchBudget
    ) -> None:
        self.policy = policy
        self.trust = trust
        self.mentions = collect_mentions(policy)
        self.partition = endpoint.partition or self.mentions.partition
        self.endpoint = endpoint
        named = self.mentions.all_keys
        variables = self.mentions.variables
        # See docs/decisions/0015: how many parties of one kind a policy can tell apart.
        is_compared = bool(variables & keys.ACCOUNTS or named & keys.ORGS)
        accounts, other_accounts = self.mentions.accounts.choose_examples(
            {endpoint.account, *trust.accounts} - {""},
            endpoint.account if keys.ENDPOINT_ACCOUNT in named or endpoint.organization else "",
            NameForm(ACCOUNTS, EXTERNAL_ACCOUNTS, 1 if is_compared else 0),
            budget,
        )
        organizations, other_organizations = self.mentions.organizations.choose_examples(
            trust.organizations,
            endpoint.organization or "",
            NameForm(ORGANIZATIONS, EXTERNAL_ORGANIZATIONS, 3 if variables & keys.ORGS else 0),
            budget,
        )
        self.has_caller_organizations = bool(named & (keys.CALLER_ORGS | {keys.MANAGEMENT}))
        self.has_owner_organizations = bool(named & keys.OWNER_ORGS)
        self.has_owners = bool(named & keys.OWNER_KEYS)
        types = PRINCIPAL_TYPES if named & keys.BY_TYPE else ("",)
        of_callers = (None, *organizations) if self.has_caller_organizations else (None,)
        of_owners = (None, *organizations) if self.has_owner_organizations else (None,)
        of_owners += other_organizations if self.has_owner_organizations else ()
        self.principals = tuple(
            Caller(CallerKind.PRINCIPAL, account, organization, kind)
            for account, organization, kind in product(accounts, of_callers, types)
            if self._may_be_in(account, organization, of_callers)
        )
        has_owner_keys = (True, False) if self.has_owners else (True,)
        self.owners = (
            *(
                ResourceOwner(OwnerKind.ACCOUNT, account, organization, each)
                for each, account, organization in product(
                    has_owner_keys, (*accounts, *other_accounts), of_owners
                )
                if self._may_be_in(account, organization, of_owners)
            ),
            *(
                ResourceOwner(OwnerKind.AWS, account)
                for account in (other_accounts if is_compared else accounts)
                if account not in trust.accounts
            ),
            ResourceOwner(OwnerKind.CALLER),
        )
        self.variables = sorted(self.mentions.variables - keys.FIXED)
        self.named_actions = _list_named_actions(policy)
        self._services = self._list_all_services()
        self._services_of: dict[object, tuple[str, ...]] = {}

    def _may_be_in(
        self, account: str, organization: str | None, options: Collection[str | None]
    ) -> bool:
        """Return whether an account may be in an organization: the endpoint's own is in its own."""
        known = self.endpoint.organization
        is_own = known is not None and account == self.endpoint.account
        return not is_own or known not in options or organization == known

    def list_callers(self, question: Question) -> Iterator[Caller]:
        """Yield the callers whose requests a question is about."""
        if question.by_service:
            yield Caller(CallerKind.SERVICE)
        elif question.forwarded:
            yield from (replace(each, forwarded=True) for each in self.principals)
        else:
            yield from self.principals
            yield Caller(CallerKind.ANONYMOUS)
            if not question.denied:
                yield Caller(CallerKind.FEDERATED)

    def list_pairs(self, caller: Caller) -> Iterator[tuple[Caller, ResourceOwner]]:
        """Yield a caller with each owner, where an account that is both is in one organization."""
        for owner in self.owners:
            is_same = owner.kind is OwnerKind.ACCOUNT and caller.account == owner.account
            if owner.kind is OwnerKind.CALLER:
                if caller.kind is CallerKind.PRINCIPAL:
                    own = replace(owner, account=caller.account, organization=caller.organization)
                    yield caller, own
            elif not is_same or caller.organization == owner.organization:
                yield caller, owner
            elif not self.has_owner_organizations:
                yield caller, replace(owner, organization=caller.organization)
            elif not self.has_caller_organizations:
                yield replace(caller, organization=owner.organization), owner

    def list_services(
        self, statement: Statement | None, caller: Caller, owner: ResourceOwner
    ) -> tuple[str, ...]:
        """Return the services whose requests a statement may allow; without one, all."""
        of = (statement.policy, statement.number) if statement else None
        known = of, caller.kind, owner.kind, owner.has_owner_keys  # the same for all accounts
        if known not in self._services_of:
            self._services_of[known] = self._select_services(statement, caller, owner)
        return self._services_of[known]

    def _select_services(
        self, statement: Statement | None, caller: Caller, owner: ResourceOwner
    ) -> tuple[str, ...]:
        found = self._services
        if statement and not statement.excludes_actions:
            named = [each.partition(":")[0].lower() for each in statement.actions]
            if not any("*" in each or "?" in each for each in named):
                carried = self.endpoint.action_prefixes
                found = tuple(e for e in dict.fromkeys(named) if not carried or e in carried)
        if caller.kind is CallerKind.FEDERATED:
            found = tuple(each for each in found if each == "sts")
        if owner.kind is OwnerKind.CALLER:
            return tuple(each for each in found if has_actions(each, with_resource=False))
        found = tuple(
            each
            for each in found
            if has_actions(each, with_resource=True) or each in self.named_actions
        )
        if owner.kind is OwnerKind.AWS:
            found = tuple(each for each in found if may_be_owned_by_aws(each))
        if not owner.has_owner_keys:
            found = tuple(each for each in found if each in service_actions.WITHOUT_OWNER_KEYS)
        return found

    def _list_all_services(self) -> tuple[str, ...]:
        carried = self.endpoint.action_prefixes
        if carried:
            return carried
        named = [each for each in self.mentions.services if each not in keys.NOT_SERVICES]
        if self.endpoint.service:  # of which nothing is known
            guess = service_actions.find_first_part(self.endpoint.service)
            return tuple(dict.fromkeys((guess, *named)))
        other = next(each for each in (*OTHER_SERVICES, "other") if each not in named)
        special = service_actions.WITHOUT_OWNER_KEYS if self.has_owners else ()
        return tuple(dict.fromkeys(("s3", *named, other, "sts", *special)))

    def list_endpoints(self) -> Iterator[EndpointContext]:
        """Yield the endpoint with each VPC and ID that it may have, as far as they are known."""
        vpcs = self._list_sources(keys.SOURCE_VPC, self.endpoint.vpc_id, "vpc-of-your-own")
        ids = self._list_sources(
            keys.SOURCE_ENDPOINT, self.endpoint.endpoint_id, "vpce-of-your-own"
        )
        for vpc_id, endpoint_id in islice(product(vpcs, ids), MAX_ENDPOINTS + 1):
            yield replace(self.endpoint, vpc_id=vpc_id, endpoint_id=endpoint_id)

    def _list_sources(self, key: str, known: str | None, other: str) -> list[str]:
        names = {key, keys.SOURCE_VPC_ARN} if key == keys.SOURCE_VPC else {key}
        if known is not None or not names & self.mentions.all_keys:
            return [known or other]
        return [*self.mentions.sources[key].pick_one_per_position(), other]

    def list_assignments(self) -> Iterator[Assigned]:
        """Yield values for the keys that variables name: a sample, stated values, or absence."""
        options = [
            [
                *dict.fromkeys(
                    (SAMPLE, *self.mentions.literals.get(key, ())[:2], EXTERNAL_ACCOUNTS[0])
                ),
                None,
            ]
            for key in self.variables
        ]
        for values in islice(product(*options), MAX_ASSIGNMENTS):
            yield dict(zip(self.variables, values, strict=True))


def _list_named_actions(policy: Policy) -> dict[str, tuple[str, ...]]:
    """Return the actions that a policy names in full, by service and in lower case."""
    found: dict[str, dict[str, None]] = {}
    for statement in policy.statements:
        for action in map(str.lower, statement.actions):
            if not set(action) & {"*", "?"}:
                found.setdefault(action.partition(":")[0], {})[action] = None
    return {service: tuple(actions) for service, actions in found.items()}
