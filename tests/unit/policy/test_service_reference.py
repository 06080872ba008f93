"""The tables of services, actions and partitions are those of AWS's service reference."""

import json
import re
import runpy
from importlib.resources import files
from pathlib import Path

import pytest

from posture.model.service_names import get_partition, get_partition_region
from posture.policy.service_actions import (
    AWS_OWNED,
    PREFIXES,
    TYPICAL_ACTIONS,
    find_action_prefixes,
)
from posture.policy.service_reference import PATH, find_group, is_service, write_action

ROOT = Path(__file__).parents[3]


def test_the_table_is_up_to_date() -> None:
    """`make docs` would write the same file."""
    script = runpy.run_path(str(ROOT / "layers/posture/service_reference.py"))
    assert PATH.read_text(encoding="utf-8") == script["serialize"]()


def test_every_region_is_in_the_partition_that_botocore_says() -> None:
    """Every Region of every partition, and the Region that stands for each partition."""
    data = json.loads(files("botocore").joinpath("data/partitions.json").read_text("utf-8"))
    for partition in data["partitions"]:
        name, form = partition["id"], partition["regionRegex"]
        regions = [each for each in partition["regions"] if re.match(form, each)]
        assert {get_partition(each) for each in regions} == {name}
        assert get_partition_region(name) in regions


def test_every_table_names_services_of_the_reference() -> None:
    """No prefix and no action is invented."""
    prefixes = {each for listed in PREFIXES.values() for each in listed}
    assert all(is_service(each) for each in {*prefixes, *AWS_OWNED, *TYPICAL_ACTIONS})
    actions = {f"{prefix}:{each}" for prefix, names in TYPICAL_ACTIONS.items() for each in names}
    assert {each for each in actions if find_group(each) is None} == set()


@pytest.mark.parametrize(
    ("service", "prefixes"),
    [
        ("com.amazonaws.eu-west-1.rekognition-fips", ("rekognition",)),
        ("com.amazonaws.eu-west-1.monitoring", ("cloudwatch",)),
        ("aws.sagemaker.eu-west-1.studio", ("sagemaker",)),
        ("aws.api.eu-west-1.kendra-ranking", ("kendra-ranking",)),
        ("com.amazonaws.iam", ("iam",)),
        ("com.amazonaws.eu-west-1.brand-new", ()),
        ("aws.sagemaker.eu-west-1.brand-new", ("sagemaker",)),
        ("com.amazonaws.vpce.eu-west-1.vpce-svc-0123456789abcdef0", ()),
    ],
)
def test_the_actions_that_an_endpoint_carries(service: str, prefixes: tuple[str, ...]) -> None:
    """They follow from the name of the endpoint's service."""
    assert find_action_prefixes(service) == prefixes


def test_an_action_is_written_as_the_reference_writes_it() -> None:
    """Policies may write it in upper or lower case."""
    assert write_action("s3:getobject") == "s3:GetObject"
    assert write_action("s3:brandnew") == "s3:brandnew"
