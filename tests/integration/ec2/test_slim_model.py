"""The models in the layer hold what the template permits, and clients work with them."""

import gzip
import importlib.util
import json
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.loaders import Loader

from posture.ec2.observer import Observer
from posture.evaluation.scope_resolver import KINDS
from posture.model.scope import Region
from posture.runtime import clients
from quick_emulator import LOAD_DATA
from sample_network import NOW, REGION, SampleNetwork

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "layers/posture/python/posture/models"
SURVEY_MODELS = ROOT / "layers/posture/python/posture/survey/models"


def import_generator() -> Any:
    """Import the module that writes the models."""
    path = ROOT / "layers/dependencies/slim_models.py"
    spec = importlib.util.spec_from_file_location("slim_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def create_slim_client() -> Any:
    """Create an EC2 client from the models in the layer."""
    inner = botocore.session.get_session()
    inner.set_config_variable("data_path", str(MODELS))
    return boto3.Session("testing", "testing", region_name=REGION, botocore_session=inner).client(
        "ec2"
    )


def test_the_models_are_those_of_the_template_and_the_locked_botocore(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, run `make docs`."""
    module = import_generator()
    monkeypatch.setattr(Loader, "load_data_with_path", LOAD_DATA)
    models = module.build_models(module.TEMPLATE.read_text())
    stored = {path: gzip.decompress(path.read_bytes()) for path in models}
    assert {path: json.loads(text) for path, text in stored.items()} == models
    folders = (MODELS, SURVEY_MODELS)
    present = {path for folder in folders for path in folder.rglob("*.gz") if path.is_file()}
    assert present == models.keys()


def test_every_shape_that_a_model_refers_to_is_in_it() -> None:
    """This includes the parameters, responses and errors of every operation."""
    module = import_generator()
    for name, model in module.build_models(module.TEMPLATE.read_text()).items():
        for reference in re.findall(r'"shape": "(\w+)"', json.dumps(model)):
            assert reference in model["shapes"], (name, reference)


SERVICES = ["dynamodb", "ec2", "securityhub", "sns", "sts"]
SURVEYED = ["ec2", "networkmanager", "route53", "route53profiles", "route53resolver", "sts"]
REGIONS = ["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "ap-future-9"]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(
    ("service", "folders"),
    [
        *((service, [MODELS]) for service in SERVICES),
        *((service, [SURVEY_MODELS, MODELS]) for service in SURVEYED),
    ],
)
def test_a_client_has_the_endpoint_and_signature_of_the_complete_models(
    service: str, folders: list[Path], region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This also holds in regions that botocore does not know yet, and for the survey's services."""
    monkeypatch.setenv("AWS_DATA_PATH", os.pathsep.join(map(str, folders)))
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


@pytest.mark.parametrize(
    ("service", "shape", "member"),
    [
        ("route53", "HostedZoneFeatures", "PublicDNSFallbackStatus"),
        ("route53profiles", "ProfileAssociation", "Priority"),
    ],
)
def test_the_survey_knows_members_that_botocore_lacks(
    service: str, shape: str, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are merged into the smaller models, too."""
    monkeypatch.setenv("AWS_DATA_PATH", os.pathsep.join(map(str, [SURVEY_MODELS, MODELS])))
    clients.session.cache_clear()
    client = clients.session().create_client(service, REGION, config=clients.CONFIG)
    found: Any = client.meta.service_model.shape_for(shape)
    assert member in found.members
    clients.session.cache_clear()


def test_every_lookup_operation_is_in_the_model() -> None:
    """The client knows the operations that resolve an id to its scope."""
    client = create_slim_client()
    assert len(client.meta.service_model.operation_names) < 40
    for lookup in KINDS.values():
        assert callable(getattr(client, lookup.operation))


def test_a_snapshot_is_the_same_with_either_model(network: SampleNetwork) -> None:
    """The smaller model loses no part of a VPC."""
    account = network.scope.account
    snapshots = [
        Observer(client, Region(account, REGION), lambda: NOW + timedelta(0)).collect_vpc(
            network.scope
        )
        for client in (network.ec2, create_slim_client())
    ]
    assert snapshots[0] is not None
    assert snapshots[0] == snapshots[1]
