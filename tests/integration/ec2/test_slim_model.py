"""The models in the layer are what the template permits, and the clients made of them see all."""

import gzip
import importlib.util
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest

from collect_world import NOW, REGION, World
from posture.ec2.observer import Observer
from posture.evaluation.scope_resolver import KINDS
from posture.model.scope import Region
from posture.runtime import clients

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "layers/posture/python/posture/models"


def generator() -> Any:
    """Give the module that writes the model."""
    path = ROOT / "layers/dependencies/slim_models.py"
    spec = importlib.util.spec_from_file_location("slim_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def slim_client() -> Any:
    """Give an EC2 client as the functions have it."""
    inner = botocore.session.get_session()
    inner.set_config_variable("data_path", str(MODELS))
    return boto3.Session("testing", "testing", region_name=REGION, botocore_session=inner).client(
        "ec2"
    )


def test_the_models_are_those_of_the_template_and_the_locked_botocore() -> None:
    """`make docs` writes them anew."""
    module = generator()
    models = module.slim(module.TEMPLATE.read_text())
    stored = {name: gzip.decompress(module.place(name).read_bytes()) for name in models}
    assert {name: json.loads(text) for name, text in stored.items()} == models
    lying = {path.relative_to(MODELS) for path in MODELS.rglob("*") if path.is_file()}
    assert lying == {module.place(name).relative_to(MODELS) for name in models}


def test_everything_that_a_model_refers_to_is_in_it() -> None:
    """Parameters, answers and errors of every operation."""
    module = generator()
    for name, model in module.slim(module.TEMPLATE.read_text()).items():
        for reference in re.findall(r'"shape": "(\w+)"', json.dumps(model)):
            assert reference in model["shapes"], (name, reference)


SERVICES = ["dynamodb", "ec2", "securityhub", "sns", "sts"]
REGIONS = ["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "ap-future-9"]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_client_goes_where_the_whole_models_send_it(
    service: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Endpoint, signature and retries are the same, in regions that nobody knows of yet as well."""
    monkeypatch.setenv("AWS_DATA_PATH", str(MODELS))
    clients.session.cache_clear()
    slim = clients.session().create_client(service, region, config=clients.CONFIG)
    clients.session.cache_clear()
    monkeypatch.delenv("AWS_DATA_PATH")
    whole = botocore.session.get_session().create_client(service, region, config=clients.CONFIG)
    assert slim.meta.endpoint_url == whole.meta.endpoint_url
    assert slim.meta.partition == whole.meta.partition
    configs = [vars(each.meta.config) for each in (slim, whole)]
    assert configs[0]["signature_version"] == configs[1]["signature_version"]
    assert set(slim.meta.service_model.operation_names) < set(
        whole.meta.service_model.operation_names
    )


def test_every_lookup_of_a_change_is_in_the_model() -> None:
    """An id is placed by operations that the client knows."""
    client = slim_client()
    assert len(client.meta.service_model.operation_names) < 40
    for lookup in KINDS.values():
        assert callable(getattr(client, lookup.operation))


def test_a_picture_is_the_same_by_either_model(world: World) -> None:
    """Nothing of a VPC is lost by the smaller model."""
    account = world.scope.account
    pictures = [
        Observer(client, Region(account, REGION), lambda: NOW + timedelta(0)).vpc(world.scope)
        for client in (world.ec2, slim_client())
    ]
    assert pictures[0] is not None
    assert pictures[0] == pictures[1]
