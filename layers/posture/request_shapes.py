"""Write what CloudTrail may record of each request that an edit models. Run `make docs`.

botocore's model of EC2 says which parameters an operation has. A parameter is recorded under its
own name, or under the one that it has in the query or in EC2's first API. Only the tools that write
this file need botocore's model; the functions read the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import botocore.session
from botocore.model import ListShape, Shape, StructureShape

from posture.changes.requests import PATH, Shapes
from posture.edits.created import CREATED
from posture.edits.requests import OPERATIONS

# A tag may exempt a VPC from a requirement, although it is no part of a network.
OTHERS = ("CreateTags", "DeleteTags")
# Names of EC2's first API that the model does not hold.
FIRST_NAMES = {"Protocol": "aclProtocol"}


def write_shapes() -> Shapes:
    """Return the parameters of each operation, and where the response names what it created."""
    model = botocore.session.get_session().get_service_model("ec2")
    own = {name for name in OPERATIONS if not name.startswith("Describe")}
    names = sorted({*own, *OTHERS})
    inputs = {name: model.operation_model(name).input_shape for name in names}
    requests = {name: _write(shape) for name, shape in inputs.items() if shape}
    return {
        "requests": requests,
        "created": {
            kind.__name__: each.query
            for kind, each in sorted(CREATED.items(), key=str)
            if kind.__name__ in own
        },
    }


def _write(shape: Shape) -> Any:
    """Write a structure as an object, a list as an array with its member, a scalar as its type."""
    if isinstance(shape, StructureShape):
        return {
            "/".join(_list_names(name, each)): _write(each) for name, each in shape.members.items()
        }
    if isinstance(shape, ListShape):
        return [_write(shape.member)]
    return {"long": "integer"}.get(shape.type_name, shape.type_name)


def _list_names(name: str, shape: Shape) -> Mapping[str, None]:
    """List a member's names: the API's, and others that a record may use instead."""
    serialization = shape.serialization
    others = (serialization.get("name"), serialization.get("queryName"), FIRST_NAMES.get(name))
    return dict.fromkeys(
        (name, *(each for each in others if each and each.casefold() != name.casefold()))
    )


def serialize() -> str:
    """Return the text of the file."""
    parts = (
        f'"{part}": {{\n' + ",\n".join(f"{json.dumps(n)}: {json.dumps(v)}" for n, v in each.items())
        for part, each in write_shapes().items()
    )
    return "{" + "\n},\n".join(parts) + "\n}}\n"


if __name__ == "__main__":
    PATH.write_text(serialize(), encoding="utf-8")
