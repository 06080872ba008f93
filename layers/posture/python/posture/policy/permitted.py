"""Find the requests for resources of AWS that a policy may allow to anyone.

AWS recommends a statement that lets everyone read the buckets of its services: the requests are not
signed, or presigned by AWS, so that they hold no key of the caller's organization.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_data-perimeters.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.lean_dataclass import dataclass
from posture.model.service_names import short_name
from posture.policy.automata import PatternSet, compile_patterns
from posture.policy.clause_results import Requirement, require_match
from posture.policy.document import Policy
from posture.policy.features.aws_owned import find_aws_owned
from posture.policy.features.resources import fill_resource
from posture.policy.features.table import NeededRequest, Signer, read_features
from posture.policy.ownership import name_without_account
from posture.policy.policy_check import PolicyCheck
from posture.policy.shapes import ACTION, RESOURCE
from posture.policy.template import compile_glob, parse_template
from posture.policy.tokens import ANY, match_many, match_text

READS = ("s3:Get*", "s3:List*")


@dataclass(frozen=True, slots=True)
class PermittedRequests:
    """Resources that only AWS owns, and the requests for them that do not count.

    Attributes:
        buckets: The ARNs of the buckets.
        of_aws: The ARNs of the buckets and of their objects.
        pairs: For actions and resources, what they require. A request that meets both does not
            count.
    """

    buckets: frozenset[str] = frozenset()
    of_aws: PatternSet | None = None
    pairs: tuple[tuple[Requirement, Requirement], ...] = ()


def permit_own(check: PolicyCheck) -> PermittedRequests:
    """Return the requests for the account's own resources that features make without signing."""
    endpoint = check.endpoint
    service, region = short_name(endpoint.service), endpoint.region
    rows = (each for name in check.features for each in read_features()[name].requests)
    pairs = [
        _pair(each.actions, [fill_resource(each, region, endpoint.partition or "", account)])
        for account in (endpoint.account,)
        for each in rows
        if region and account and each.endpoint == service and _is_unsigned(each)
    ]
    return PermittedRequests(pairs=tuple(pairs))


def _is_unsigned(request: NeededRequest) -> bool:
    return not request.owned_by_aws and Signer.UNSIGNED in request.signers


def permit_buckets(
    known: PermittedRequests, policy: Policy, check: PolicyCheck, resource: str
) -> PermittedRequests | None:
    """Add the buckets of AWS that a policy names, and that of a resource.

    Returns:
        The requests that do not count; None if the resource is of no bucket of AWS, or of one that
        was added before.
    """
    found = _find_bucket(resource)
    if found is None or found in known.buckets:
        return None
    buckets = {found, *known.buckets, *list_named_buckets(policy)}
    by_actions: dict[tuple[str, ...], list[str]] = {}
    for bucket in sorted(buckets):
        actions = tuple(dict.fromkeys(_list_actions(find_aws_owned(bucket), check)))
        by_actions.setdefault(actions, []).append(bucket)
    own = tuple(pair for pair in known.pairs if not known.buckets)
    listed = [
        _pair(actions, [*names, *(f"{each}/*" for each in names)])
        for actions, names in by_actions.items()
        if actions
    ]
    patterns = [match_text(each) for each in buckets]
    patterns += [(*match_text(f"{each}/"), match_many(ANY)) for each in buckets]
    return PermittedRequests(frozenset(buckets), compile_patterns(*patterns), (*own, *listed))


def _find_bucket(resource: str) -> str | None:
    bucket = resource.partition("/")[0]
    return bucket if find_aws_owned(bucket) else None


def list_named_buckets(policy: Policy) -> Iterator[str]:
    """Yield the ARNs of the buckets of AWS that a policy names."""
    for statement in policy.statements:
        for resource in statement.resources:
            bucket = name_without_account(resource)
            if bucket and find_aws_owned(bucket):
                yield bucket


def _list_actions(rows: Iterable[NeededRequest], check: PolicyCheck) -> Iterator[str]:
    for each in rows:
        is_needed = each.feature in check.features
        if is_needed:
            yield from each.actions
        if is_needed or not (check.only_features or check.trust.strict):
            yield from READS


def _pair(
    actions: Iterable[str], resources: Iterable[str | None]
) -> tuple[Requirement, Requirement]:
    globs = (compile_glob(parse_template(each.lower())) for each in actions)
    arns = (compile_glob(parse_template(each)) for each in resources if each)
    return require_match(ACTION, globs), require_match(RESOURCE, arns)
