"""What EventBridge makes of the input templates of pipes and rules.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from collections.abc import Mapping
from functools import reduce
from typing import Any


def fill_template(template: str, values: Mapping[str, Any]) -> Any:
    """Replace each `<name>` by its value as JSON.

    Raises:
        KeyError: a value is missing. AWS would leave it out, and no JSON would remain.
    """
    return json.loads(re.sub(r"<([^<>]+)>", lambda found: json.dumps(values[found[1]]), template))


def find_path(event: Mapping[str, Any], path: str) -> Any:
    """Return the value at a JSON path in dot notation."""
    return reduce(lambda value, name: value[name], path.removeprefix("$.").split("."), event)


def transform_record(template: str, record: Mapping[str, Any]) -> Any:
    """Apply the input template of a pipe, whose variables are paths, to a stream record."""
    paths = set(re.findall(r"<([^<>]+)>", template))
    return fill_template(template, {path: find_path(record, path) for path in paths})


def transform_event(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> Any:
    """Apply the input transformer of a rule's target to an event."""
    paths = transformer["InputPathsMap"]
    return fill_template(
        transformer["InputTemplate"], {name: find_path(event, paths[name]) for name in paths}
    )
