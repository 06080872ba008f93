"""The callers, owners, services and endpoints that a policy can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product

from posture.policy import keys, service_actions
from posture.policy.automata import SearchBudget
from posture.policy.document import Policy, Statement
from posture.policy.mentions import EXTERNAL_ACCOUNTS, EXTERNAL_ORGANIZATIONS, collect_mentions
from posture.policy.policy_check import EndpointContext, Trust
from posture.policy.request import CallerKind
from posture.policy.request_case import Caller, OwnerKind, ResourceOwner
from posture.policy.shapes import ACCOUNTS, ORGANIZATIONS

TYPES = ("AssumedRole", "User", "Account", "FederatedUser")
FRESH_SERVICES = ("sqs", "sns", "lambda", "kinesis", "states", "glue", "athena", "events", "logs")
OF_AWS = "aws"  # what stands for the account of AWS's own resources, as in their ARNs
SAMPLE = "sample"  # what a variable stands for when nothing better is known
MOST_SITES = 16
MOST_ASSIGNMENTS = 64


class CaseEnumeration:
    """The cases of one policy at one endpoint."""

    def __init__(
        self, policy: Policy, endpoint: EndpointContext, trust: Trust, budget: SearchBudget
    ) -> None:
        self.policy = policy
        self.trust = trust
        self.known = collect_mentions(policy)
        self.partition = endpoint.partition or self.known.partition
        self.endpoint = endpoint
        accounts = self.known.accounts.examples(
            {endpoint.account, *trust.accounts} - {""}, ACCOUNTS, EXTERNAL_ACCOUNTS, budget
        )
        organizations = self.known.organizations.examples(
            trust.organizations, ORGANIZATIONS, EXTERNAL_ORGANIZATIONS, budget
        )
        named = self.known.all_keys
        self.tells_caller_organizations = bool(named & keys.CALLER_ORGS)
        self.tells_owner_organizations = bool(named & keys.OWNER_ORGS)
        self.tells_owners = bool(named & keys.OWNER_KEYS)
        types = TYPES if named & keys.BY_TYPE else ("",)
        of_callers = (None, *organizations) if self.tells_caller_organizations else (None,)
        of_owners = (None, *organizations) if self.tells_owner_organizations else (None,)
        self.principals = tuple(
            Caller(CallerKind.PRINCIPAL, account, organization, kind)
            for account, organization, kind in product(accounts, of_callers, types)
        )
        has_owner_keys = (True, False) if self.tells_owners else (True,)
        self.owners = (
            *(
                ResourceOwner(OwnerKind.ACCOUNT, account, organization, each)
                for each, account, organization in product(has_owner_keys, accounts, of_owners)
            ),
            ResourceOwner(OwnerKind.AWS, OF_AWS),
            ResourceOwner(OwnerKind.CALLER),
        )
        self.references = sorted(self.known.references - keys.FIXED)
        self._services = self._all_services()

    def callers(self, *, services: bool = False, forwarded: bool = False) -> Iterator[Caller]:
        """Give the direct callers; or AWS's services; or services with a caller's credentials."""
        if services:
            yield Caller(CallerKind.SERVICE)
        elif forwarded:
            yield from (replace(each, forwarded=True) for each in self.principals)
        else:
            yield from self.principals
            yield Caller(CallerKind.ANONYMOUS)
            yield Caller(CallerKind.FEDERATED)

    def together(self, caller: Caller, owner: ResourceOwner) -> tuple[Caller, ResourceOwner] | None:
        """Let one account be in one organisation; None where the two cannot be."""
        if owner.kind is OwnerKind.CALLER:
            if caller.kind is not CallerKind.PRINCIPAL:
                return None
            return caller, replace(owner, account=caller.account, organization=caller.organization)
        same = caller.kind is CallerKind.PRINCIPAL and caller.account == owner.account
        if not same or caller.organization == owner.organization:
            return caller, owner
        if not self.tells_owner_organizations:
            return caller, replace(owner, organization=caller.organization)
        if not self.tells_caller_organizations:
            return replace(caller, organization=owner.organization), owner
        return None

    def services(
        self, statement: Statement | None, caller: Caller, owner: ResourceOwner
    ) -> tuple[str, ...]:
        """Give the services whose requests a statement may let through; without one, all."""
        found = self._services
        if statement and not statement.excludes_actions:
            named = [each.partition(":")[0].lower() for each in statement.actions]
            if not any("*" in each or "?" in each for each in named):
                carried = self.endpoint.action_prefixes
                found = tuple(e for e in dict.fromkeys(named) if not carried or e in carried)
        if caller.kind is CallerKind.FEDERATED:
            found = tuple(each for each in found if each == "sts")
        if owner.kind is OwnerKind.CALLER:
            found = tuple(each for each in found if each in service_actions.WITHOUT_RESOURCE)
        elif not owner.has_owner_keys:
            found = tuple(each for each in found if each in service_actions.WITHOUT_OWNER_KEYS)
        return found

    def _all_services(self) -> tuple[str, ...]:
        carried = self.endpoint.action_prefixes
        if carried:
            return carried
        named = [each for each in self.known.services if each not in keys.NOT_SERVICES]
        fresh = next(each for each in (*FRESH_SERVICES, "strange") if each not in named)
        special = service_actions.WITHOUT_OWNER_KEYS if self.tells_owners else ()
        return tuple(dict.fromkeys(("s3", *named, fresh, "sts", *special)))

    def sites(self) -> Iterator[EndpointContext]:
        """Give the endpoint, once for each VPC and id it may have as far as one knows."""
        vpcs = self._hypotheses(keys.SOURCE_VPC, self.endpoint.vpc_id, "vpc-of-your-own")
        ids = self._hypotheses(keys.SOURCE_ENDPOINT, self.endpoint.endpoint_id, "vpce-of-your-own")
        for vpc_id, endpoint_id in islice(product(vpcs, ids), MOST_SITES + 1):
            yield replace(self.endpoint, vpc_id=vpc_id, endpoint_id=endpoint_id)

    def _hypotheses(self, key: str, known: str | None, fresh: str) -> list[str]:
        if known is not None or key not in self.known.all_keys:
            return [known or fresh]
        names = self.known.sites[key]
        chosen: dict[object, str] = {}
        for name, positions in sorted(names.positions.items()):
            chosen.setdefault(frozenset(positions), name)
        return [*chosen.values(), fresh]

    def assignments(self) -> Iterator[Mapping[str, str | None]]:
        """Give values to the keys that variables refer to: a sample, what is named, nothing."""
        open_keys = self.references
        options = [
            [
                *dict.fromkeys(
                    (SAMPLE, *self.known.literals.get(key, ())[:2], EXTERNAL_ACCOUNTS[0])
                ),
                None,
            ]
            for key in open_keys
        ]
        for values in islice(product(*options), MOST_ASSIGNMENTS):
            yield dict(zip(open_keys, values, strict=True))


@dataclass(frozen=True, slots=True)
class Question:
    """What a request must be to count; `let` is whether the policy must allow it.

    Questions about principals are asked of direct callers; services and forwarded requests are
    asked about apart.
    """

    name: str
    principal: bool = False
    resource: bool = False
    services: bool = False
    forwarded: bool = False

    def of_caller(self, caller: Caller, trust: Trust) -> bool:
        """Tell whether a caller may count, as long as the owner is not known."""
        if not self.principal or caller.kind is not CallerKind.PRINCIPAL:
            return True
        return not trust.covers(caller.account, caller.organization)

    def counts(self, caller: Caller, owner: ResourceOwner, trust: Trust) -> bool:
        """Tell whether a request of this caller to a resource of this owner counts."""
        if self.principal and not _strange_caller(caller, owner, trust):
            return False
        return not self.resource or _strange_owner(owner, trust)


def _strange_caller(caller: Caller, owner: ResourceOwner, trust: Trust) -> bool:
    if caller.kind is CallerKind.FEDERATED:  # it becomes the role that it assumes
        return owner.kind is OwnerKind.ACCOUNT and not _covered(owner, trust)
    if caller.kind is CallerKind.PRINCIPAL:
        return not trust.covers(caller.account, caller.organization)
    return True


def _strange_owner(owner: ResourceOwner, trust: Trust) -> bool:
    if owner.kind is OwnerKind.AWS:
        return trust.strict
    return not _covered(owner, trust)


def _covered(owner: ResourceOwner, trust: Trust) -> bool:
    return trust.covers(owner.account, owner.organization)
