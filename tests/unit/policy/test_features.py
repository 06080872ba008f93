"""The table of features holds what it is meant to, and each fact has its page."""

import re
from pathlib import Path

import pytest

from posture.model.baseline import Baseline
from posture.model.features import FEATURE_NAMES
from posture.policy import EndpointContext
from posture.policy.features.aws_owned import (
    find_aws_owned,
    list_accounts_of_aws,
    list_buckets_of_aws,
)
from posture.policy.features.resources import UNPUBLISHED, fill_resource
from posture.policy.features.table import (
    ANY_RESOURCE,
    NO_RESOURCE,
    NeededRequest,
    Signer,
    Use,
    expand_features,
    find_features,
    list_known_regions,
    read_features,
    read_values,
)
from posture.policy.needs import list_needs
from posture.policy.required import find_required_features
from posture.policy.service_actions import find_action_prefixes
from posture.policy.service_reference import find_group, is_service

DOCS = Path(__file__).parents[3] / "docs/policies.md"
FEATURES = read_features()
REQUESTS = [each for feature in FEATURES.values() for each in feature.requests]
OWNED = [each for each in REQUESTS if each.owned_by_aws]
PLACEHOLDER = re.compile(r"\{(\w+)\}")
KNOWN = {"partition", "region", "region_without_dashes", "account", "name", "value"}
KNOWN |= {each.strip("{}") for each in UNPUBLISHED}
# Not in AWS's service reference: https://docs.aws.amazon.com/systems-manager/latest/userguide/data-perimeters.html
NOT_LISTED = {"ssm:RegisterManagedInstance"}


def name(request: NeededRequest) -> str:
    """Name a request in a failure."""
    return f"{request.feature}: {request.purpose} ({request.endpoint})"


def test_a_baseline_can_name_every_feature() -> None:
    """The names are in the model, which does not read the table."""
    assert set(FEATURES) == set(FEATURE_NAMES)
    assert list(FEATURE_NAMES) == sorted(FEATURE_NAMES)


def test_the_table_is_complete() -> None:
    """It holds 123 patterns of resources that AWS owns, each once for one action."""
    assert len(OWNED) == 123
    assert len({(each.endpoint, each.resource, each.values) for each in OWNED}) == 123


@pytest.mark.parametrize("request_", REQUESTS, ids=map(name, REQUESTS))
def test_a_request_is_well_formed(request_: NeededRequest) -> None:
    """It has pages, real actions that its endpoint carries, and placeholders that are known."""
    assert request_.sources
    assert all(re.fullmatch(r"https://\S+", each) for each in request_.sources)
    assert len(set(request_.signers)) == len(request_.signers) > 0
    carried = find_action_prefixes(request_.endpoint)
    for action in (*request_.actions, *request_.asked):
        prefix = action.partition(":")[0]
        assert is_service(prefix)
        assert prefix in carried, carried
        assert "*" in action or find_group(action) or action in NOT_LISTED
    assert not any("*" in each for each in request_.asked)
    assert request_.asked or any("*" not in each for each in request_.actions)
    if request_.resource in {ANY_RESOURCE, NO_RESOURCE}:
        assert request_.signers == (Signer.OWN,)
        assert not request_.owned_by_aws
        return
    assert set(PLACEHOLDER.findall(request_.resource)) <= KNOWN
    assert ("{value}" in request_.resource) == bool(request_.values)
    filled = fill_resource(request_, "us-east-1", "aws", "111122223333")
    if filled and ":s3:::" in filled and request_.owned_by_aws:
        assert request_ in find_aws_owned(filled)
        assert filled.split(":")[5].partition("/")[0] in list_buckets_of_aws("us-east-1")


@pytest.mark.parametrize("feature", FEATURES.values(), ids=list(FEATURES))
def test_a_feature_needs_something(feature: object) -> None:
    """And what it includes exists."""
    assert feature in FEATURES.values()
    found = FEATURES[feature.name]  # type: ignore[attr-defined]
    assert found.requests
    assert found.sources
    assert set(found.includes) <= set(FEATURES)
    assert all(each == each.lower() for each in found.required_by)
    assert found.name in expand_features((found.name,))


def test_required_services_imply_features() -> None:
    """With those that they include; only what a baseline names takes their place."""
    assert find_features(("ecr.dkr",)) == ("ecr",)
    assert set(find_features(("eks", "ssm"))) == {"eks", "ecr", "ssm"}
    assert find_features(("s3", "kms")) == ()
    required = Baseline(required_services=("ecr.api",))
    assert find_required_features(required) == ("ecr",)
    named = Baseline(required_services=("ecr.api",), aws_owned_resources=("patch",))
    assert set(find_required_features(named)) == {"patch", "ssm"}
    assert find_required_features(Baseline(aws_owned_resources=())) == ()


def test_names_differ_by_region() -> None:
    """Some buckets have another name, or a suffix, in some Regions."""

    def list_names(feature: str, region: str) -> set[str]:
        endpoint = EndpointContext("111122223333", f"com.amazonaws.{region}.s3", gateway=True)
        needs = list_needs((feature,), endpoint, *Use)
        return {each.resource.split(":")[5] for each in needs if each.resource}

    assert "patch-baseline-snapshot-eu-west-1/*" in list_names("patch", "eu-west-1")
    assert "patch-baseline-snapshot-me-south-1-uduvl7q8/*" in list_names("patch", "me-south-1")
    assert "patch-baseline-snapshot-me-south-1/*" not in list_names("patch", "me-south-1")
    assert "aws157-logs-prod/*" in list_names("emr", "us-east-1")
    assert "aws157-logs-prod-us-east-2/*" in list_names("emr", "us-east-2")
    assert "elasticbeanstalk-public-beta-cn-north-1/*" in list_names(
        "elastic-beanstalk", "cn-north-1"
    )
    assert "cis-datasets-prod-iad-8438411/*" in list_names("inspector", "us-east-1")


def test_values_are_of_regions() -> None:
    """Account IDs have 12 digits."""
    assert len(list_known_regions()) >= 39
    for request in REQUESTS:
        if request.values.endswith("_account"):
            assert all(
                re.fullmatch(r"\d{12}", each) for each in read_values(request.values).values()
            )
    assert "602401143452" in list_accounts_of_aws()
    assert list_accounts_of_aws(("ecr",)) == frozenset()


def test_the_page_lists_every_feature() -> None:
    """As the table has it."""
    rows = []
    for each in sorted(FEATURES.values(), key=lambda feature: feature.name):
        endpoints = sorted({one.endpoint for one in each.requests if one.passes is not False})
        cells = [
            f"`{each.name}`",
            each.title,
            ", ".join(f"`{one}`" for one in endpoints) or "none",
            ", ".join(f"`{one}`" for one in each.includes),
            ", ".join(f"`{one}`" for one in each.required_by),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    assert "\n".join(rows) in DOCS.read_text(encoding="utf-8")
