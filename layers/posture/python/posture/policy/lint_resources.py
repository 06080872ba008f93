"""Lint the resources of a statement: names that match more, or less, than they seem to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from posture.policy.document import Statement, shorten
from posture.policy.features.aws_owned import BUCKET_ARN, list_buckets_of_aws
from posture.policy.policy_check import EndpointContext
from posture.policy.service_reference import find_group
from posture.policy.template import ARN_FIELDS

Remark = tuple[str, str]  # an id and a sentence
WILDCARDS = frozenset("*?")
ANY_WILDCARD = re.compile(r"[*?]+")
LEAST_TEXT = 6  # characters beside a wildcard that make a name recognizable


def lint_resources(statement: Statement, endpoint: EndpointContext) -> Iterator[Remark]:
    """Yield the remarks about the resources that a statement names."""
    for resource in statement.resources:
        yield from _lint_partition(resource, endpoint)
        if statement.allows and not statement.excludes_resources:
            yield from _lint_bucket(resource, endpoint)
    if statement.allows and not statement.excludes_resources:
        yield from _lint_actions(statement)


def _lint_partition(resource: str, endpoint: EndpointContext) -> Iterator[Remark]:
    fields = resource.split(":", ARN_FIELDS - 1)
    named, own = fields[1] if len(fields) == ARN_FIELDS else "", endpoint.partition
    if named and own and named != own and not fnmatchcase(own, named):
        yield "other-partition", f"{shorten(resource)!r} never matches: ARNs begin with arn:{own}."


def _lint_bucket(resource: str, endpoint: EndpointContext) -> Iterator[Remark]:
    """Find a wildcard in the name of a bucket that is meant to be AWS's."""
    name = resource.partition(BUCKET_ARN)[2].partition("/")[0]
    longest = max(ANY_WILDCARD.split(name), key=len)
    if len(longest) < LEAST_TEXT or len(longest) == len(name) or not endpoint.region:
        return
    buckets = list_buckets_of_aws(endpoint.region)
    of_aws = next((each for each in buckets if longest in each and fnmatchcase(each, name)), None)
    if of_aws:
        sentence = (
            f"{shorten(name)!r} matches AWS's bucket {of_aws}, and buckets that anyone can create. "
            "Write the whole name."
        )
        yield "wildcard-in-bucket-of-aws", sentence


def _lint_actions(statement: Statement) -> Iterator[Remark]:
    if any(not each.strip("*") for each in statement.resources):
        return
    groups = ((each, find_group(each)) for each in statement.actions if not WILDCARDS & set(each))
    named = [action for action, group in groups if group and not group.arns]
    if named:
        listed = ", ".join(map(shorten, named[:3]))
        sentence = f'an action without a resource needs Resource "*": {listed}.'
        yield "action-without-resource", sentence
