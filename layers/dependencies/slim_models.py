"""Write the part of botocore's models that the functions use, from the template's permissions.

botocore's own EC2 model is 4 MB of JSON for 800 operations, and its table of endpoints 1.2 MB for
400 services; reading them is a third of a cold start. The layer holds these, `AWS_DATA_PATH` in the
template points to them, and an operation that is not in them is one that no role may call. Run:
`make docs`.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session

ROOT = Path(__file__).parent.parent.parent
TEMPLATE = ROOT / "template.yaml"
MODELS = ROOT / "layers/posture/python/posture/models"
VERSIONS = {
    "dynamodb": "2012-08-10",
    "ec2": "2016-11-15",
    "securityhub": "2018-10-26",
    "sns": "2010-03-31",
    "sts": "2011-06-15",
}
ACTION = re.compile(r"\b([a-z0-9]+):([A-Z][A-Za-z]+)")
# A transaction needs the permissions of what it does and none of its own.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
IMPLIED = {("dynamodb", "PutItem"): ("dynamodb", "TransactWriteItems")}

Json = dict[str, Any]


def slim(template: str) -> dict[str, Json]:
    """Give the models by their place below `models`: a service's operations that are permitted."""
    loader = botocore.session.get_session().get_component("data_loader")
    permitted = set(ACTION.findall(template))
    permitted |= {implied for action, implied in IMPLIED.items() if action in permitted}
    models = {
        f"{service}/{version}/service-2": _model(
            loader.load_service_model(service, "service-2", version),
            {action for name, action in permitted if name == service},
        )
        for service, version in VERSIONS.items()
    }
    return models | {"endpoints": _endpoints(loader.load_data("endpoints"))}


def _model(whole: Json, permitted: set[str]) -> Json:
    names = sorted(permitted & whole["operations"].keys())
    operations = {name: _undocumented(whole["operations"][name]) for name in names}
    return {
        "version": whole["version"],
        "metadata": whole["metadata"],
        "operations": operations,
        "shapes": dict(sorted(_shapes(whole["shapes"], operations))),
    }


def _endpoints(whole: Json) -> Json:
    """Give where the services are, in every partition."""
    return whole | {
        "partitions": [
            partition
            | {"services": {it: partition["services"][it] for it in _listed(partition["services"])}}
            for partition in whole["partitions"]
        ]
    }


def _listed(services: Json) -> list[str]:
    return sorted(VERSIONS.keys() & services.keys())


def place(name: str) -> Path:
    """Give where a model lies in the layer."""
    return MODELS / f"{name}.json.gz"


def packed(model: Json) -> bytes:
    """Give a model as it lies in the layer, the same bytes each time."""
    return gzip.compress(json.dumps(model, separators=(",", ":")).encode(), mtime=0)


def _shapes(shapes: Mapping[str, Json], operations: Json) -> Iterator[tuple[str, Json]]:
    """Give every shape that the operations reach."""
    waiting, seen = list(_names(operations)), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            shape = _undocumented(shapes[name])
            yield name, shape
            waiting += _names(shape)


def _names(value: Any) -> Iterator[str]:
    """Give the shapes that a part of the model refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        for each in value.values():
            yield from _names(each)
    if isinstance(value, list):  # an operation's errors
        for each in value:
            yield from _names(each)


def _undocumented(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _undocumented(each)
            for key, each in value.items()
            if key != "documentation" or not isinstance(each, str)
        }
    return value


if __name__ == "__main__":
    for name, model in slim(TEMPLATE.read_text(encoding="utf-8")).items():
        place(name).parent.mkdir(parents=True, exist_ok=True)
        place(name).write_bytes(packed(model))
