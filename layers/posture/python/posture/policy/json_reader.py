"""Read JSON with positions: the values of `json.loads`, each with its offset.

Error messages about a policy name line and column. Duplicate names are kept, because AWS does not
document which of them it uses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import TypeVar

from posture.errors import PostureError
from posture.lean_dataclass import dataclass

MAX_DEPTH = 16  # a policy is five levels deep
SPACE = re.compile(r"[ \t\n\r]*")
SCALAR = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
EntryT = TypeVar("EntryT")


class MalformedPolicyError(PostureError):
    """The text is not a policy document; the message names line, column and what was expected."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        where = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{where}{problem}")


@dataclass(frozen=True, slots=True)
class JsonMember:
    """A name of an object, its offset, and its value."""

    name: str
    at: int
    value: JsonNode


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A JSON value and its offset.

    `value` is a tuple of members for an object, a tuple of nodes for an array, otherwise a string,
    a number as written, a boolean or None. `kind` is the name of its type in JSON.
    """

    kind: str
    at: int
    value: tuple[JsonMember, ...] | tuple[JsonNode, ...] | str | bool | None

    @property
    def members(self) -> tuple[JsonMember, ...]:
        """The members of an object; empty for any other value."""
        return self.value if self.kind == "object" else ()  # type: ignore[return-value]

    @property
    def items(self) -> tuple[JsonNode, ...]:
        """The elements of an array; any other value is its own only element."""
        return self.value if self.kind == "array" else (self,)  # type: ignore[return-value]


def read_json(text: str) -> JsonNode:
    """Read one JSON document.

    Raises:
        MalformedPolicyError: The text is not JSON.
    """
    reader = _Reader(text)
    node = reader.value(reader.skip(0), 0)
    end = reader.skip(reader.end)
    if end != len(text):
        raise malformed_at(text, end, "expected the end of the document")
    return node


def malformed_at(text: str, at: int, problem: str) -> MalformedPolicyError:
    """Build the error for a problem at an offset."""
    line = text.count("\n", 0, at) + 1
    return MalformedPolicyError(problem, line, at - text.rfind("\n", 0, at))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.end = 0  # behind the value read last

    def skip(self, at: int) -> int:
        found = SPACE.match(self.text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> JsonNode:
        if depth > MAX_DEPTH:
            raise malformed_at(self.text, at, f"nested more than {MAX_DEPTH} levels deep")
        first = self.text[at : at + 1]
        if first == "{":
            return JsonNode("object", at, self.entries(at + 1, "}", depth + 1, self.member))
        if first == "[":
            return JsonNode("array", at, self.entries(at + 1, "]", depth + 1, self.value))
        if first == '"':
            return JsonNode("string", at, self.string(at))
        return self.scalar(at)

    def scalar(self, at: int) -> JsonNode:
        found = SCALAR.match(self.text, at)
        if not found:
            raise malformed_at(self.text, at, "expected a JSON value")
        self.end = found.end()
        word = found.group()
        if word in {"true", "false"}:
            return JsonNode("boolean", at, word == "true")
        return JsonNode("null", at, None) if word == "null" else JsonNode("number", at, word)

    def string(self, at: int) -> str:
        try:
            value, self.end = scanstring(self.text, at + 1, True)
        except JSONDecodeError as error:
            problem = f"invalid JSON string: {error.msg}"
            raise malformed_at(self.text, error.pos, problem) from None
        return str(value)

    def member(self, at: int, depth: int) -> JsonMember:
        if self.text[at : at + 1] != '"':
            raise malformed_at(self.text, at, "expected a name in double quotes")
        name = self.string(at)
        colon = self.skip(self.end)
        if self.text[colon : colon + 1] != ":":
            raise malformed_at(self.text, colon, "expected a colon")
        return JsonMember(name, at, self.value(self.skip(colon + 1), depth))

    def entries(
        self, at: int, closing: str, depth: int, read: Callable[[int, int], EntryT]
    ) -> tuple[EntryT, ...]:
        """Read what stands between brackets, separated by commas."""
        found: list[EntryT] = []
        at = self.skip(at)
        if self.text[at : at + 1] == closing:
            self.end = at + 1
            return ()
        while True:
            found.append(read(self.skip(at), depth))
            at = self.skip(self.end)
            separator = self.text[at : at + 1]
            at = self.end = at + 1
            if separator == closing:
                return tuple(found)
            if separator != ",":
                raise malformed_at(self.text, at - 1, f"expected a comma or {closing}")
