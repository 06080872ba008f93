"""Writes the part of botocore's models that the functions use. Run `make docs`.

botocore's EC2 model is 4 MB of JSON with 800 operations, and its endpoints file 1.2 MB with 400
services; loading them takes a third of a cold start. The models written here hold only operations
for which the template grants permission. `AWS_DATA_PATH` in the template points to them. The survey
of the shared network has models of its own, so that no other function loads what only it uses.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import botocore.session

ROOT = Path(__file__).parent.parent.parent
TEMPLATE = ROOT / "template.yaml"
MODELS = ROOT / "layers/posture/python/posture/models"
SURVEY_MODELS = ROOT / "layers/posture/python/posture/survey/models"
VERSIONS = {
    "dynamodb": "2012-08-10",
    "ec2": "2016-11-15",
    "s3": "2006-03-01",
    "securityhub": "2018-10-26",
    "sns": "2010-03-31",
    "sts": "2011-06-15",
}
SURVEY_VERSIONS = {
    "ec2": VERSIONS["ec2"],
    "networkmanager": "2019-07-05",
    "route53": "2013-04-01",
    "route53profiles": "2018-05-10",
    "route53resolver": "2018-04-01",
}
SURVEY_ROLE = re.compile(r"^  SurveyRole:.*?^(?=  \S)", re.DOTALL | re.MULTILINE)
ACTION = re.compile(r"\b([a-z0-9]+):([A-Z][A-Za-z]+)")
# A transaction requires the permissions of its writes and no permission of its own.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
IMPLIED = {("dynamodb", "PutItem"): ("dynamodb", "TransactWriteItems")}

Json = dict[str, Any]


def build_models(template: str) -> dict[Path, Json]:
    """Build the models by path, with the operations that a template permits."""
    others = SURVEY_ROLE.sub("", template)
    of_survey = "".join(SURVEY_ROLE.findall(template))
    return {
        **_build_folder(MODELS, others, VERSIONS, VERSIONS),
        # The survey finds the rest of what it uses in the other folder.
        **_build_folder(SURVEY_MODELS, of_survey, SURVEY_VERSIONS, VERSIONS | SURVEY_VERSIONS),
    }


def _build_folder(
    folder: Path, template: str, versions: Mapping[str, str], located: Iterable[str]
) -> dict[Path, Json]:
    """Build the models of services, and the endpoints of those that are `located` with them."""
    loader = botocore.session.get_session().get_component("data_loader")
    permitted = set(ACTION.findall(template))
    permitted |= {implied for action, implied in IMPLIED.items() if action in permitted}
    models = {
        folder / f"{service}/{version}/service-2.json.gz": _build_model(
            loader.load_service_model(service, "service-2", version),
            {action for name, action in permitted if name == service},
        )
        for service, version in versions.items()
    }
    endpoints = deepcopy(loader.load_data("endpoints"))
    for partition in endpoints["partitions"]:
        known = sorted({*located} & partition["services"].keys())
        partition["services"] = {name: partition["services"][name] for name in known}
    return models | {folder / "endpoints.json.gz": endpoints}


def _build_model(whole: Json, permitted: set[str]) -> Json:
    names = sorted(permitted & whole["operations"].keys())
    operations = {name: _remove_documentation(whole["operations"][name]) for name in names}
    return {
        "version": whole["version"],
        "metadata": whole["metadata"],
        "operations": operations,
        "shapes": dict(sorted(_find_shapes(whole["shapes"], operations))),
    }


def compress(model: Json) -> bytes:
    """Compress a model, always to the same bytes."""
    return gzip.compress(json.dumps(model, separators=(",", ":")).encode(), mtime=0)


def _find_shapes(shapes: Mapping[str, Json], operations: Json) -> Iterator[tuple[str, Json]]:
    """Find every shape that the operations refer to, directly or not."""
    waiting, found = list(_find_references(operations)), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            shape = _remove_documentation(shapes[name])
            yield name, shape
            waiting += _find_references(shape)


def _find_references(value: Any) -> Iterator[str]:
    """Find the names of the shapes that a part of a model refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("shape"), str):
            yield value["shape"]
        value = list(value.values())
    for each in value if isinstance(value, list) else ():  # a list holds an operation's errors
        yield from _find_references(each)


def _remove_documentation(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _remove_documentation(each)
            for key, each in value.items()
            if key != "documentation" or not isinstance(each, str)
        }
    return value


if __name__ == "__main__":
    for path, model in build_models(TEMPLATE.read_text(encoding="utf-8")).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(compress(model))
