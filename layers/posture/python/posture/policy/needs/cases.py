"""Build the request cases of a need: its true signer, and the keys that a policy then sees.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sts_vpc_endpoint_policies.html
https://docs.aws.amazon.com/systems-manager/latest/userguide/data-perimeters.html

Where AWS does not state whether a request holds a key, or which value it has, there is a case for
each possibility. Only keys that the policy names make a difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import product

from posture.lean_dataclass import dataclass
from posture.policy import keys, service_actions
from posture.policy.document import Policy
from posture.policy.features.table import NO_RESOURCE, Signer
from posture.policy.mentions import PolicyMentions, collect_mentions
from posture.policy.needs.needs import Need
from posture.policy.policy_check import PolicyCheck
from posture.policy.request import CallerKind
from posture.policy.request_case import Assigned, Caller, OwnerKind, RequestCase, ResourceOwner
from posture.policy.service_reference import find_group

# Stand for an account, and an organization, of AWS whose IDs are not published.
ACCOUNT_OF_AWS = "000000000000"
ORGANIZATION_OF_AWS = "o-ofanaccountofaws"
# The principals that make URLs, by feature.
SERVICE_PRINCIPALS = {
    "cloudformation": "cloudformation.amazonaws.com",
    "amazon-q": "q.amazonaws.com",
    "lambda": "lambda.amazonaws.com",
}
KINDS = {
    Signer.OWN: CallerKind.PRINCIPAL,
    Signer.AWS_ACCOUNT: CallerKind.PRINCIPAL,
    Signer.SERVICE: CallerKind.SERVICE,
    Signer.UNSIGNED: CallerKind.ANONYMOUS,
    Signer.FEDERATION: CallerKind.FEDERATED,
    Signer.HYBRID_NODE: CallerKind.ANONYMOUS,
}
# The actions whose owner keys AWS does not describe.
UNDESCRIBED = frozenset({"sts:GetCallerIdentity"})


def has_no_resource(need: Need, action: str) -> bool:
    """Return whether an action of a need applies to no resource."""
    group = find_group(action)
    is_chosen = not need.resource and not need.missing
    return need.resource == NO_RESOURCE or (is_chosen and group is not None and not group.arns)


@dataclass(frozen=True)
class NeedCases:
    """The cases of the needs of one policy at its endpoint."""

    policy: Policy
    check: PolicyCheck

    @cached_property
    def mentions(self) -> PolicyMentions:
        """What the policy names."""
        return collect_mentions(self.policy)

    @property
    def partition(self) -> str:
        """The partition of the endpoint."""
        return self.check.endpoint.partition or self.mentions.partition

    @cached_property
    def own_organizations(self) -> tuple[str | None, ...]:
        """The organizations that the account may be in; one of them if the baseline says so."""
        trust = self.check.trust
        known = trust.own_organization.partition("/")[0]
        if known or not self._names(keys.ORGS | {keys.NODE_ORG}):
            return (known or None,)
        trusted = sorted(trust.organizations)
        return tuple(trusted) or (None, *sorted(self.mentions.organizations.positions))

    def list_cases(self, need: Need, signer: Signer, action: str) -> Iterator[RequestCase]:
        """Yield the cases of requests that one signer makes."""
        for organization in self.own_organizations:
            known = self.check.trust.own_organization or organization or ""
            endpoint = replace(self.check.endpoint, own_organization=known)
            for caller, owner, stated in product(
                self._list_callers(signer, organization),
                self._list_owners(need, organization, action),
                self._list_stated(need, signer, organization),
            ):
                yield RequestCase(
                    endpoint,
                    self.partition,
                    caller,
                    owner,
                    action.partition(":")[0],
                    group=find_group(action),
                    stated=stated,
                )

    def _names(self, wanted: frozenset[str]) -> bool:
        return bool(self.mentions.all_keys & wanted)

    def _list_callers(self, signer: Signer, organization: str | None) -> Iterator[Caller]:
        kind = KINDS[signer]
        if kind is not CallerKind.PRINCIPAL:
            yield Caller(kind)
        elif signer is Signer.OWN:
            account = self.check.endpoint.account
            yield Caller(kind, account, organization, principal_type="AssumedRole")
        else:
            yield Caller(kind, ACCOUNT_OF_AWS)
            if self._names(keys.CALLER_ORGS):
                yield Caller(kind, ACCOUNT_OF_AWS, ORGANIZATION_OF_AWS)

    def _list_owners(
        self, need: Need, organization: str | None, action: str
    ) -> Iterator[ResourceOwner]:
        account = self.check.endpoint.account
        prefix, _, name = action.partition(":")
        keyless = service_actions.WITHOUT_OWNER_KEYS.get(prefix, ())
        held = not any(fnmatchcase(name, each) for each in keyless)
        if has_no_resource(need, action):
            yield ResourceOwner(OwnerKind.CALLER, account, organization, held)
            if action in UNDESCRIBED and self._names(keys.OWNER_KEYS):
                yield ResourceOwner(OwnerKind.CALLER, account, organization, has_owner_keys=False)
        elif not need.owned_by_aws:
            yield ResourceOwner(OwnerKind.ACCOUNT, account, organization, held)
        else:
            organizations = (None, ORGANIZATION_OF_AWS) if self._names(keys.OWNER_ORGS) else (None,)
            for owner, of_owner in product(self._list_accounts_of_aws(need), organizations):
                yield ResourceOwner(OwnerKind.AWS, owner, of_owner, held)
            if self._names(keys.OWNER_KEYS) and not need.owner and ":s3:::" not in need.resource:
                # AWS does not say whether ARNs without an account have these keys.
                yield ResourceOwner(OwnerKind.AWS, has_owner_keys=False)

    def _list_accounts_of_aws(self, need: Need) -> tuple[str, ...]:
        """Return the accounts that may own a resource of AWS."""
        if need.owner:
            return (need.owner,)
        trusted = self.check.trust.with_account(self.check.endpoint.account).accounts
        conditions = (each for one in self.policy.statements for each in one.conditions)
        named = {
            value
            for condition in conditions
            if condition.lower_key in keys.OWNER_ACCOUNTS
            for value in condition.values
        }
        return (ACCOUNT_OF_AWS, *sorted(each for each in named - trusted if each.isdigit()))

    def _list_stated(
        self, need: Need, signer: Signer, organization: str | None
    ) -> Iterator[Assigned]:
        """Yield the values of keys that follow from the signer alone."""
        account = self.check.endpoint.account
        options: dict[str, tuple[str | None, ...]] = {}
        if signer is Signer.UNSIGNED:
            options[keys.PRINCIPAL_ACCOUNT] = ("anonymous", None)
        if signer is Signer.SERVICE:
            options[keys.PRINCIPAL_ACCOUNT] = (None, ACCOUNT_OF_AWS)
            options["aws:principalservicename"] = (SERVICE_PRINCIPALS.get(need.feature),)
        if signer is Signer.HYBRID_NODE:
            options[keys.PRINCIPAL_ACCOUNT] = (None,)
            options[keys.RESOURCE_ACCOUNT] = (account, None)
            options[keys.RESOURCE_ORG] = (organization, None)
            options[keys.NODE_ACCOUNT] = (account,)
            options[keys.NODE_ORG] = (organization,)
        if signer in {Signer.UNSIGNED, Signer.FEDERATION, Signer.HYBRID_NODE}:
            options["aws:viaawsservice"] = ("false", None)
        named = {key: values for key, values in options.items() if key in self.mentions.all_keys}
        for values in product(*(dict.fromkeys(each) for each in named.values())):
            yield dict(zip(named, values, strict=True))
