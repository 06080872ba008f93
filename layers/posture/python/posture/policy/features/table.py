"""The features of AWS that need requests to pass a VPC endpoint, and the resources that AWS owns.

`table.json` names the page that each fact is from. It is read when a policy first needs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from posture.lean_dataclass import dataclass

PATH = Path(__file__).with_name("table.json")
ANY_RESOURCE = "any"  # some resource, of whatever owner, that the workload uses
NO_RESOURCE = "*"  # the action applies to none


class Signer(StrEnum):
    """Who signs a request, which decides the keys that an endpoint policy then sees."""

    OWN = "own"  # a role or user of the workload's account
    AWS_ACCOUNT = "aws-account"  # a URL presigned with credentials of an account of AWS
    SERVICE = "service"  # an AWS service principal, mostly as a presigned URL
    UNSIGNED = "unsigned"
    FEDERATION = "federation"  # sign-in with SAML or web identity, which is not signed
    HYBRID_NODE = "hybrid-node"  # a node of Systems Manager outside AWS, not signed


class Use(StrEnum):
    """How many users of a feature make a request."""

    ALWAYS = "always"  # all: a policy that blocks it stops the feature
    SOMETIMES = "sometimes"  # a part: a policy for the feature lets it through
    RARELY = "rarely"  # few: it may pass


@dataclass(frozen=True, slots=True)
class NeededRequest:
    """Requests of a feature through the endpoints of one service, as the table states them.

    Attributes:
        feature: The feature, such as `ecr`.
        endpoint: The short name of the endpoint's service, such as `ecr.dkr`.
        purpose: What stops if the requests are blocked.
        use: How many users of the feature make them.
        signers: Who signs them, the most probable first.
        actions: The actions, with wildcards where a statement would have them.
        resource: The ARN with placeholders, ANY_RESOURCE or NO_RESOURCE.
        owned_by_aws: Whether the resource is AWS's.
        confirmed: Whether AWS states who signs. If not, the other signers count as well.
        asked: The actions to ask about where `actions` has wildcards.
        examples: The ends of the ARNs of real resources.
        names: Other bucket names by Region.
        values: The table with the value of `{value}` by Region.
        unless: A table with Regions in which the name does not apply; `only`: in which it does.
        region: The only Region that has the resource.
        passes: Whether the requests pass the customer's endpoint: yes, no or not known (None).
        sources: The pages that state it.
    """

    feature: str
    endpoint: str
    purpose: str
    use: Use
    signers: tuple[Signer, ...]
    actions: tuple[str, ...]
    resource: str
    owned_by_aws: bool
    confirmed: bool = True
    asked: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    values: str = ""
    unless: str = ""
    only: str = ""
    region: str = ""
    passes: bool | None = True
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature: its name in a baseline, its title, and what it needs.

    `required_by` are the services whose requirement implies it, `includes` other features.
    """

    name: str
    title: str
    required_by: tuple[str, ...]
    includes: tuple[str, ...]
    requests: tuple[NeededRequest, ...]
    sources: tuple[str, ...]


@cache
def read_features() -> Mapping[str, Feature]:
    """Return all features by name."""
    raw = _read()
    resources: dict[str, list[NeededRequest]] = {}
    for each in raw["resources"]:
        resources.setdefault(each["feature"], []).append(_parse_request(each, each["feature"]))
    return {
        each["name"]: Feature(
            each["name"],
            each["title"],
            tuple(each.get("required_by", ())),
            tuple(each.get("includes", ())),
            (
                *(
                    _parse_request({"sources": each["sources"], **request}, each["name"])
                    for request in each.get("requests", ())
                ),
                *resources.get(each["name"], ()),
            ),
            tuple(_list_sources(each["sources"])),
        )
        for each in raw["features"]
    }


@cache
def read_values(name: str) -> Mapping[str, str]:
    """Return the values of a placeholder by Region."""
    found: Mapping[str, str] = _read()["values"][name]["regions"] if name else {}
    return found


@cache
def list_known_regions() -> frozenset[str]:
    """Return the Regions that the table names."""
    return frozenset(region for each in _read()["values"].values() for region in each["regions"])


@cache
def expand_features(names: Iterable[str]) -> tuple[str, ...]:
    """Return features with those that they include.

    Args:
        names: The names, as a tuple or a frozenset.
    """
    found: dict[str, None] = {}
    pending = sorted(names)
    while pending:
        name = pending.pop(0)
        if name not in found:
            found[name] = None
            pending += read_features()[name].includes
    return tuple(found)


@cache
def find_features(required_services: tuple[str, ...]) -> tuple[str, ...]:
    """Return the features that required services imply, with those that they include."""
    services = set(required_services)
    return expand_features(
        tuple(each.name for each in read_features().values() if services & {*each.required_by})
    )


@cache
def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return found


def _parse_request(raw: Mapping[str, Any], feature: str) -> NeededRequest:
    return NeededRequest(
        feature,
        raw["endpoint"],
        raw["purpose"],
        Use(raw["use"]),
        tuple(map(Signer, raw["signers"])),
        tuple(raw["actions"]),
        raw["resource"],
        owned_by_aws="id" in raw,
        confirmed=raw.get("confirmed", True),
        asked=tuple(raw.get("asked", ())),
        examples=tuple(raw.get("examples", ())),
        names=raw.get("names", {}),
        values=raw.get("values", ""),
        unless=raw.get("unless", ""),
        only=raw.get("only", ""),
        region=raw.get("region", ""),
        passes={"NC": None, "no_by_FAS": False}.get(raw.get("passes", ""), True),
        sources=tuple(_list_sources(raw["sources"])),
    )


def _list_sources(written: Iterable[str]) -> Iterator[str]:
    starts = _read()["sources"]
    for each in written:
        start, _, end = each.partition(":")
        yield starts[start] + end if start in starts else each
