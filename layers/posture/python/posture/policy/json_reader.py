"""JSON with positions: the same values as `json.loads`, each with where it stands.

A policy is small and its mistakes are made by people, so every message names line and column.
Duplicate names are kept: which of them AWS takes is not documented.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]

from posture.errors import PostureError

DEEPEST = 16  # a policy is five deep
SPACE = re.compile(r"[ \t\n\r]*")
SCALAR = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")


class MalformedPolicyError(PostureError):
    """The text is no policy document; says what was expected, and at which line and column."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        where = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{where}{problem}")
        self.problem = problem
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class JsonMember:
    """One name of an object with its value."""

    name: str
    at: int
    value: JsonNode


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A value and its offset.

    `value` is a tuple of members for an object, a tuple of nodes for an array, else a text, a
    number as it was written, a boolean or None; `kind` names which, in the words of JSON.
    """

    kind: str
    at: int
    value: tuple[JsonMember, ...] | tuple[JsonNode, ...] | str | bool | None

    @property
    def members(self) -> tuple[JsonMember, ...]:
        """The members of an object; none of anything else."""
        return self.value if self.kind == "object" else ()  # type: ignore[return-value]

    @property
    def items(self) -> tuple[JsonNode, ...]:
        """The elements of an array; anything else is its own only one."""
        return self.value if self.kind == "array" else (self,)  # type: ignore[return-value]


def read_json(text: str) -> JsonNode:
    """Read one JSON document.

    Raises:
        UnreadablePolicyError: it is none, with the position.
    """
    reader = _Reader(text)
    node = reader.value(reader.skip(0), 0)
    end = reader.skip(reader.end)
    if end != len(text):
        raise malformed_at(text, end, "expected the end of the document")
    return node


def malformed_at(text: str, at: int, problem: str) -> MalformedPolicyError:
    """Give the error of a problem at an offset."""
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
        if depth > DEEPEST:
            raise malformed_at(self.text, at, f"nested more than {DEEPEST} deep")
        first = self.text[at : at + 1]
        if first == "{":
            return JsonNode("object", at, self.object(at + 1, depth))
        if first == "[":
            return JsonNode("array", at, self.array(at + 1, depth))
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
            raise malformed_at(self.text, error.pos, f"no JSON text: {error.msg}") from None
        return str(value)

    def object(self, at: int, depth: int) -> tuple[JsonMember, ...]:
        members: list[JsonMember] = []
        at = self.skip(at)
        if self.text[at : at + 1] == "}":
            self.end = at + 1
            return ()
        while True:
            name_at = self.skip(at)
            if self.text[name_at : name_at + 1] != '"':
                raise malformed_at(self.text, name_at, "expected a name in double quotes")
            name = self.string(name_at)
            colon = self.skip(self.end)
            if self.text[colon : colon + 1] != ":":
                raise malformed_at(self.text, colon, "expected a colon")
            members.append(JsonMember(name, name_at, self.value(self.skip(colon + 1), depth + 1)))
            at = self.separated("}")
            if not at:
                return tuple(members)

    def array(self, at: int, depth: int) -> tuple[JsonNode, ...]:
        items: list[JsonNode] = []
        at = self.skip(at)
        if self.text[at : at + 1] == "]":
            self.end = at + 1
            return ()
        while True:
            items.append(self.value(self.skip(at), depth + 1))
            at = self.separated("]")
            if not at:
                return tuple(items)

    def separated(self, closing: str) -> int:
        """Give the offset behind a comma, or 0 behind the closing bracket."""
        at = self.skip(self.end)
        found = self.text[at : at + 1]
        self.end = at + 1
        if found == closing:
            return 0
        if found != ",":
            raise malformed_at(self.text, at, f"expected a comma or {closing}")
        return at + 1
