"""Write the part of botocore's EC2 model that the functions use, from the template's permissions.

botocore's own is 4 MB of JSON for 800 operations, and reading it is a quarter of a cold start. The
layer holds this one, `AWS_DATA_PATH` in the template points to it, and an operation that is not in
it is one that no role may call. Run: `make docs`.
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
VERSION = "2016-11-15"
MODELS = ROOT / "layers/posture/python/posture/models"
TARGET = MODELS / f"ec2/{VERSION}/service-2.json.gz"
ACTION = re.compile(r"\bec2:((?:Describe|Get)[A-Za-z]+)")

Json = dict[str, Any]


def slim(template: str) -> Json:
    """Give the model of the operations that a template permits."""
    loader = botocore.session.get_session().get_component("data_loader")
    whole = loader.load_service_model("ec2", "service-2", VERSION)
    names = sorted(set(ACTION.findall(template)) & whole["operations"].keys())
    operations = {name: _undocumented(whole["operations"][name]) for name in names}
    return {
        "version": whole["version"],
        "metadata": whole["metadata"],
        "operations": operations,
        "shapes": dict(sorted(_shapes(whole["shapes"], operations))),
    }


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


def _undocumented(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _undocumented(each)
            for key, each in value.items()
            if key != "documentation" or not isinstance(each, str)
        }
    return value


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(packed(slim(TEMPLATE.read_text(encoding="utf-8"))))
