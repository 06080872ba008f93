"""Which resources AWS owns, by their whole names.

A name counts only with a Region that is known, and with the suffix that AWS publishes: a wildcard
instead allows a bucket that anyone can create.
https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-agent-technical-details.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache

from posture.policy.features.resources import fill_resource
from posture.policy.features.table import (
    NeededRequest,
    list_known_regions,
    read_features,
    read_values,
)

BUCKET_ARN = ":s3:::"
PLACEHOLDERS = ("{region}", "{region_without_dashes}", "{value}")


@lru_cache(maxsize=4096)
def find_aws_owned(arn: str) -> tuple[NeededRequest, ...]:
    """Return what the table says about the bucket of an ARN; nothing if AWS does not own it."""
    _, is_bucket, rest = arn.partition(BUCKET_ARN)
    return _read_buckets().get(rest.partition("/")[0], ()) if is_bucket else ()


@cache
def list_accounts_of_aws(features: tuple[str, ...] | None = None) -> frozenset[str]:
    """Return the accounts of AWS services that AWS publishes.

    Args:
        features: Only those of these features; by default all.
    """
    found: set[str] = set()
    for name in read_features() if features is None else features:
        for each in read_features()[name].requests:
            account = each.resource.split(":", 5)[4] if each.owned_by_aws else ""
            if account == "{value}":
                found.update(read_values(each.values).values())
            elif account.isdigit():
                found.add(account)
    return frozenset(found)


@cache
def list_buckets_of_aws(region: str) -> tuple[str, ...]:
    """Return the names of the buckets that AWS owns in a Region, and of those without a Region."""
    return tuple(
        name
        for feature in read_features().values()
        for each in feature.requests
        if each.owned_by_aws and BUCKET_ARN in each.resource
        for name in _list_names(each, (region,))
    )


@cache
def _read_buckets() -> Mapping[str, tuple[NeededRequest, ...]]:
    """Return the buckets that AWS owns, in every Region that is known, by name."""
    found: dict[str, tuple[NeededRequest, ...]] = {}
    for feature in read_features().values():
        for each in feature.requests:
            if each.owned_by_aws and BUCKET_ARN in each.resource:
                for name in _list_names(each, sorted(list_known_regions())):
                    found[name] = (*found.get(name, ()), each)
    return found


def _list_names(request: NeededRequest, regions: Iterable[str]) -> Iterator[str]:
    is_regional = any(each in request.resource for each in PLACEHOLDERS)
    for region in regions if is_regional else ("",):
        if arn := fill_resource(request, region, "aws", ""):
            yield arn.partition(BUCKET_ARN)[2].partition("/")[0]
