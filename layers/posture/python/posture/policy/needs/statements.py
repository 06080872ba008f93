"""Write the statements that let needs through, and nothing that is not trusted.

They follow AWS's examples for data perimeters. Requests that the workload's roles sign are allowed
for trusted principals. All others hold no key of the caller, so they are allowed for the exact
resource, by anyone.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_data-perimeters.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from posture.lean_dataclass import dataclass
from posture.policy import keys, service_actions
from posture.policy.descriptions import CANONICAL
from posture.policy.features.table import Signer
from posture.policy.needs.cases import has_no_resource
from posture.policy.needs.needs import Need
from posture.policy.policy_check import EndpointContext, PolicyCheck, Trust
from posture.policy.service_reference import find_group
from posture.policy.template import compile_globs

CALLER = (keys.PRINCIPAL_ACCOUNT, keys.PRINCIPAL_ORG)
OWNER = (keys.RESOURCE_ACCOUNT, keys.RESOURCE_ORG)
IMAGE = "::image/"
NODE = ("ssm:NodeAccountId", "ssm:NodeOrgId")
Condition = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NeedStatement:
    """A statement of a policy, and the needs for which it is there.

    Attributes:
        statement: The statement as JSON holds it.
        reason: Why it is written this way.
        needs: The needs that it lets through.
    """

    statement: Mapping[str, Any]
    reason: str
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class _Form:
    """The form of a statement: its Sid, its reason, and the keys that must be trusted.

    `names` are other keys with their values. `has_resources`: it names the resources.
    """

    sid: str
    reason: str
    trusted: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, str], ...] = ()
    has_resources: bool = False


OWN_RESOURCES = _Form(
    "OwnRequests", "trusted principals may use trusted resources", (CALLER, OWNER)
)
OWN_BY_OWNER = _Form(
    "OwnRequestsByOwner",
    "trusted principals may use AMIs and snapshots of trusted accounts; the requests hold no other "
    "key of the owner",
    (CALLER,),
)
OWN_BY_ARN = _Form(
    "OwnRequestsByArn",
    "trusted principals may use resources of trusted accounts; the requests hold no key of the "
    "resource's owner",
    (CALLER,),
)
NO_RESOURCE = _Form(
    "OwnRequestsWithoutResource", "trusted principals; the actions have no resource", (CALLER,)
)
OF_AWS = _Form(
    "OwnRequestsToAwsResources",
    "trusted principals may use these resources of AWS",
    (CALLER,),
    has_resources=True,
)
# The ARN of an AMI names no account: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
IMAGES_OF_AMAZON = _Form(
    "OwnRequestsToAmazonImages",
    "trusted principals may use AMIs of Amazon; their ARNs name no owner",
    (CALLER,),
    (("ec2:Owner", "amazon"),),
    has_resources=True,
)
ANYONE = _Form(
    "AwsOwnedResources",
    "AWS owns the resources, and the requests hold no key of your organization: they are not "
    "signed, or presigned by AWS",
    (),
    has_resources=True,
)
UNSIGNED = _Form(
    "OwnResourcesUnsigned",
    "the requests may be made without credentials, for resources of your account only",
    (),
    has_resources=True,
)
FEDERATION = _Form(
    "SignInToOwnRoles", "callers that sign in have no account yet, so their role counts", (OWNER,)
)
HYBRID_NODES = _Form(
    "OwnHybridNodes", "hybrid nodes do not sign, so the account of the node counts", (NODE,)
)


def build_statements(
    needs: Iterable[Need], check: PolicyCheck, own_actions: Iterable[str] = ()
) -> tuple[NeedStatement, ...]:
    """Return the statements that let needs through. Needs with unknown resources have none.

    Args:
        needs: The needs, as `list_needs` returns them for the endpoint of the check.
        check: The endpoint, and the trusted accounts and organizations.
        own_actions: What trusted principals may do on trusted resources, needed or not.
    """
    trust = check.trust.with_account(check.endpoint.account)
    groups: dict[tuple[_Form, tuple[str, ...]], list[tuple[Need | None, str]]] = {}
    for action in own_actions:
        groups.setdefault((OWN_RESOURCES, ()), []).append((None, action))
        for each, form in _list_keyless(action):
            groups.setdefault((form, ()), []).append((None, each))
    for need in needs:
        for action in () if need.missing else need.actions:
            form = _choose_form(need, action)
            alike = need.actions if form.has_resources else ()
            groups.setdefault((form, alike), []).append((need, action))
    found: list[NeedStatement] = []
    sids: dict[str, int] = {}
    for (form, _), members in groups.items():
        listed = tuple(dict.fromkeys(need for need, _ in members if need))
        actions = _drop_covered(action for _, action in members)
        resources = [each.resource for each in listed] if form.has_resources else ["*"]
        conditions = _list_conditions(form, trust)
        if form is OWN_BY_ARN:
            resources = list_own_arns(check.endpoint, trust)
        elif form is OWN_BY_OWNER:
            owner = {"ec2:Owner": _shorten(sorted(trust.accounts))}
            conditions = ({**each, **owner} for each in conditions)
            resources = _list_shared_arns(actions, check.endpoint) if trust.accounts else []
        for condition in conditions:
            number = sids[form.sid] = sids.get(form.sid, 0) + 1
            statement = {
                "Sid": f"{form.sid}{number if number > 1 else ''}",
                "Effect": "Allow",
                "Principal": "*",
                "Action": actions,
                "Resource": list(dict.fromkeys(resources)),
                **({"Condition": {"StringEquals": condition}} if condition else {}),
            }
            if resources:
                found.append(NeedStatement(statement, form.reason, listed))
    return tuple(found)


def _list_keyless(action: str) -> Iterator[tuple[str, _Form]]:
    """Yield the actions of a pattern that hold no key of the owner, with how to name the owner."""
    prefix, _, name = action.partition(":")
    pattern = compile_globs([name.lower()])
    for each in service_actions.WITHOUT_OWNER_KEYS.get(prefix, ()):
        arns = _list_arns(f"{prefix}:{each}")
        if pattern.accepts(each.lower()):
            if any(":{account}:" in arn for arn in arns):
                yield f"{prefix}:{each}", OWN_BY_ARN
            if prefix == "ec2" and any(arn in service_actions.SHARED_ARNS for arn in arns):
                yield f"{prefix}:{each}", OWN_BY_OWNER


def _list_arns(action: str) -> tuple[str, ...]:
    group = find_group(action)
    return group.arns if group else ()


def _list_shared_arns(actions: list[str], endpoint: EndpointContext) -> list[str]:
    """Return the ARNs of the AMIs and snapshots that actions apply to."""
    arns = dict.fromkeys(arn for each in actions for arn in _list_arns(each))
    region = endpoint.region or "*"
    return [
        f"arn:{endpoint.partition or 'aws'}:{arn.format('*', region=region)}"
        for arn in arns
        if arn in service_actions.SHARED_ARNS
    ]


def list_own_arns(endpoint: EndpointContext, trust: Trust) -> list[str]:
    """Return the ARNs of everything that trusted accounts own in the endpoint's Region.

    Without the Region there are none: a wildcard would let in names that look like an account ID.
    """
    start = f"arn:{endpoint.partition or 'aws'}"
    return [
        f"{start}:{prefix}:{endpoint.region}:{account}:*"
        for prefix in endpoint.action_prefixes
        for account in sorted(trust.accounts)
        if endpoint.region
    ]


def _drop_covered(actions: Iterable[str]) -> list[str]:
    """Return the actions that no other one with a wildcard includes; of equal ones the first."""
    listed = tuple(dict.fromkeys(actions))
    wild = {each: compile_globs([each.lower()]) for each in listed if "*" in each or "?" in each}

    def includes(one: str, each: str) -> bool:
        # A `?` accepts the sign `*`, but not all that `*` stands for.
        exact = "?" not in one or "*" not in each
        return exact and one in wild and wild[one].accepts(each.lower())

    kept: list[str] = []
    for each in listed:
        if not any(includes(one, each) for one in kept):
            kept = [*(one for one in kept if not includes(each, one)), each]
    return kept


def _choose_form(need: Need, action: str) -> _Form:
    if Signer.FEDERATION in need.signers:
        return FEDERATION
    if Signer.HYBRID_NODE in need.signers:
        return HYBRID_NODES
    if need.owned_by_aws and need.signers == (Signer.OWN,):
        return IMAGES_OF_AMAZON if ":ec2:" in need.resource and IMAGE in need.resource else OF_AWS
    if need.owned_by_aws:
        return ANYONE
    if Signer.UNSIGNED in need.signers and ":*:" not in need.resource:
        return UNSIGNED
    return _choose_own_form(action, named=not has_no_resource(need, action))


def _choose_own_form(action: str, *, named: bool = True) -> _Form:
    """Return the form for a resource of one's own; `named`: the request names the resource."""
    if not (named or _list_arns(action)):
        return NO_RESOURCE
    prefix, _, name = action.partition(":")
    keyless = service_actions.WITHOUT_OWNER_KEYS.get(prefix, ())
    return OWN_BY_ARN if name != "*" and name in keyless else OWN_RESOURCES


def _list_conditions(form: _Form, trust: Trust) -> Iterator[Condition]:
    """Yield the conditions that trust needs: one for each way to be trusted."""
    if not form.trusted:
        yield {**dict(form.names)}
        return
    first, *rest = form.trusted
    for condition in _list_trusted(first, trust):
        others = [_list_trusted(each, trust) for each in rest]
        for other in others[0] if others else [{}]:
            yield {**condition, **other, **dict(form.names)}


def _list_trusted(names: tuple[str, str], trust: Trust) -> list[dict[str, Any]]:
    """Return the conditions on accounts and on organizations, one of which must hold.

    Accounts are left out where the organization covers them.
    """
    account, organization = (CANONICAL.get(each, each) for each in names)
    organizations = sorted(trust.organizations)
    own = trust.own_organization.partition("/")[0]
    covered = len(trust.accounts) == 1 and own in trust.organizations
    found: list[dict[str, Any]] = []
    if trust.accounts and not covered:
        found.append({account: _shorten(sorted(trust.accounts))})
    if organizations:
        found.append({organization: _shorten(organizations)})
    return found


def _shorten(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
