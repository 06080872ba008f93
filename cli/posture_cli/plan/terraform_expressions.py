"""Reads the expressions of a plan's configuration: their references, and the values at a path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from posture_cli.plan.terraform_plan import NOT_KNOWN, Key

Path = tuple[str | int, ...]  # to a value in an instance's values
_TOKEN = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([A-Za-z_][\w-]*)')


@dataclass(frozen=True, slots=True)
class Index:
    """An index in a reference, such as `[0]` or `["a"]`."""

    key: str | int


def split_reference(reference: str) -> list[Any]:
    """Split a reference into names and indexes."""
    return [
        name or Index(int(number) if number else text)
        for text, number, name in _TOKEN.findall(reference)
    ]


def format_key(key: Key) -> str:
    """Return the end of an instance's address."""
    if key is None:
        return ""
    return f"[{key}]" if isinstance(key, int) else f'["{key}"]'


def list_references(expression: Any) -> list[str]:
    """List the references of an expression, and of those inside its blocks."""
    if isinstance(expression, list):
        return [found for each in expression for found in list_references(each)]
    if not isinstance(expression, Mapping):
        return []
    if "references" in expression:
        return list(expression["references"])
    return [
        found
        for name, each in expression.items()
        if name != "constant_value"
        for found in list_references(each)
    ]


def keep_specific(references: Iterable[str]) -> list[str]:
    """Leave out the prefixes of other references, which Terraform lists after them."""
    unique = list(dict.fromkeys(references))
    return [
        each
        for each in unique
        if not any(other.startswith((f"{each}.", f"{each}[")) for other in unique)
    ]


def find_expression(expressions: Any, path: Path) -> Any:
    """Find the expression of a value; that of an enclosing value counts. None if there is none."""
    node = expressions
    for step in path:
        if isinstance(node, Mapping) and ("references" in node or "constant_value" in node):
            return node
        if isinstance(node, Mapping) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int):
            node = node[step] if step < len(node) else None
        if node is None:
            return None
    return node


def find_value(values: Any, path: Path) -> Any:
    """Find the value at a path; below a value that is not known, nothing is."""
    for step in path:
        if values is NOT_KNOWN:
            return NOT_KNOWN
        if isinstance(step, int):
            values = values[step] if isinstance(values, list) and step < len(values) else None
        else:
            values = values.get(step) if isinstance(values, Mapping) else None
    return values
