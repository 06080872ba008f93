"""List the requests that features make through one endpoint, with the ARNs of its Region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.lean_dataclass import dataclass
from posture.model.service_names import short_name
from posture.policy.features.resources import fill_resource
from posture.policy.features.table import (
    ANY_RESOURCE,
    NO_RESOURCE,
    NeededRequest,
    Signer,
    Use,
    expand_features,
    read_features,
    read_values,
)
from posture.policy.policy_check import EndpointContext

EXAMPLE_NAME = "example"
ARN_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Need:
    """Requests that a feature makes through an endpoint.

    Attributes:
        feature: The feature, such as `ecr`.
        title: Its title, such as `Amazon ECR`.
        purpose: What stops if the requests are blocked.
        use: How many users of the feature make them.
        signers: Who signs them, the most probable first.
        confirmed: Whether AWS states who signs. If not, the other signers count as well.
        actions: The actions as in a statement, maybe with wildcards.
        asked: The actions to ask about, without wildcards.
        resource: The ARN as in a statement, of the endpoint's Region and account; `*` for actions
            without a resource; "" if the workload chooses the resource, or its name is not known.
        examples: ARNs of single resources; none if the workload chooses the resource.
        owned_by_aws: Whether the resource is AWS's.
        owner: The account of AWS that owns the resource, if it is published.
        missing: Why the resource is not known; "" if it is.
        sources: The pages of AWS that state it.
    """

    feature: str
    title: str
    purpose: str
    use: Use
    signers: tuple[Signer, ...]
    confirmed: bool
    actions: tuple[str, ...]
    asked: tuple[str, ...]
    resource: str
    examples: tuple[str, ...]
    owned_by_aws: bool
    owner: str
    missing: str
    sources: tuple[str, ...]


def list_needs(features: Iterable[str], endpoint: EndpointContext, *uses: Use) -> tuple[Need, ...]:
    """Return the requests that features make through an endpoint.

    Args:
        features: The names of the features; those that they include are added.
        endpoint: The endpoint, whose service, Region and account fill the ARNs.
        uses: How often the requests are made; by default all of ALWAYS and SOMETIMES.
    """
    wanted = uses or (Use.ALWAYS, Use.SOMETIMES)
    service = short_name(endpoint.service).removesuffix("-fips")
    return tuple(
        _build_need(each, endpoint)
        for name in expand_features(tuple(sorted(features)))
        for each in read_features()[name].requests
        if each.endpoint == service and each.use in wanted and _applies(each, endpoint)
    )


def _applies(request: NeededRequest, endpoint: EndpointContext) -> bool:
    """Return whether requests pass an endpoint of this Region."""
    region = endpoint.requested_region
    only = request.region or _name_region(request.resource)
    if request.passes is False or only not in {"", region}:
        return False
    return region not in read_values(request.unless) and (
        not request.only or region in read_values(request.only)
    )


def _name_region(resource: str) -> str:
    """Return the Region that an ARN names, without a placeholder; "" if there is none."""
    named = resource.split(":", ARN_FIELDS - 1)[3:4]
    return named[0] if named and "{" not in named[0] else ""


def _build_need(request: NeededRequest, endpoint: EndpointContext) -> Need:
    region = endpoint.requested_region
    filled: str | None = None
    missing = ""
    if request.resource not in {ANY_RESOURCE, NO_RESOURCE}:
        if region:
            filled = fill_resource(request, region, endpoint.partition or "aws", endpoint.account)
        if filled is None:
            missing = (
                f"AWS publishes no name of the resource in {region}"
                if region
                else "the Region of the endpoint is not given"
            )
    resource = NO_RESOURCE if request.resource == NO_RESOURCE else filled or ""
    fields = resource.split(":", ARN_FIELDS - 1)
    account = fields[4] if len(fields) == ARN_FIELDS else ""
    return Need(
        request.feature,
        read_features()[request.feature].title,
        request.purpose,
        request.use,
        request.signers,
        request.confirmed,
        request.actions,
        request.asked or tuple(each for each in request.actions if "*" not in each),
        resource,
        tuple(_list_examples(request, resource)),
        request.owned_by_aws,
        account if request.owned_by_aws and account.isdigit() else "",
        missing,
        request.sources,
    )


def _list_examples(request: NeededRequest, resource: str) -> Iterator[str]:
    if request.examples and resource:
        start = resource.split(":", ARN_FIELDS - 1)[: ARN_FIELDS - 1]
        yield from (":".join((*start, each)) for each in request.examples)
    elif resource:
        yield resource if resource == NO_RESOURCE else resource.replace("*", EXAMPLE_NAME)
