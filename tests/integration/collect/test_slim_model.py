"""The EC2 model in the layer is what the template permits, and sees what the whole one sees."""

import gzip
import importlib.util
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session

from collect_world import NOW, REGION, World
from posture.aws.observer import Observer
from posture.aws.place import KINDS
from posture.model.scope import Region

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "layers/posture/python/posture/models"


def generator() -> Any:
    """Give the module that writes the model."""
    path = ROOT / "layers/dependencies/slim_ec2.py"
    spec = importlib.util.spec_from_file_location("slim_ec2", path)
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


def test_the_model_is_that_of_the_template_and_the_locked_botocore() -> None:
    """`make docs` writes it anew."""
    module = generator()
    stored = json.loads(gzip.decompress(module.TARGET.read_bytes()))
    assert stored == module.slim(module.TEMPLATE.read_text())


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
