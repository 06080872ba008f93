"""Reads the AWS CLI's shorthand for structures, as in `Key=a,Values=b,c` or `Ranges=[{Cidr=d}]`.

https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-shorthand.html
"""

from __future__ import annotations

import re
from typing import Any

from posture.errors import MalformedRequestError

KEY = re.compile(r"\s*([A-Za-z0-9_.#/:-]+)\s*=\s*")
QUOTED = {"'": re.compile(r"'((?:\\'|[^'])*)'"), '"': re.compile(r'"((?:\\"|[^"])*)"')}
# A value ends before a comma or a closing bracket; `\,` is a comma in it. Only the first value
# after `=` may contain another `=`.
FIRST = re.compile(r"((?:\\,|[^,\]}'\"\[{\s])(?:\\,|[^,\]}])*)")
FURTHER = re.compile(r"((?:\\,|[^,\]}'\"\[{\s=])(?:\\,|[^,=\]}])*)")
BLANK = re.compile(r"\s*")


def parse_shorthand(text: str) -> dict[str, Any]:
    """Parse one structure in shorthand; its values are texts, lists and structures.

    Raises:
        MalformedRequestError: The text is not shorthand; the message names the column in it.
    """
    reader = _Reader(text)
    found = reader.read_members("")
    if reader.position < len(text):
        raise reader.error("a comma and another KEY=VALUE")
    return found


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def error(self, expected: str) -> MalformedRequestError:
        at = self.text[self.position : self.position + 12]
        where = f"at {at!r} (character {self.position + 1})" if at else "at the end"
        return MalformedRequestError(f"expected {expected} {where} of {self.text!r}")

    def read_members(self, end: str) -> dict[str, Any]:
        """Read `key=value,…` up to a closing brace, or up to the end of the text."""
        found: dict[str, Any] = {}
        while True:
            self._skip_blanks()
            if end and self._take(end):
                return found
            key = self._match(KEY)
            if key is None:
                raise self.error("KEY=VALUE")
            if key in found:
                raise self.error(f"one value for {key}, before this one,")
            found[key] = self._read_value(in_braces=bool(end))
            self._skip_blanks()
            if self._take(","):
                continue
            if end and self._take(end):
                return found
            if end or self.position < len(self.text):
                raise self.error(f"a comma or {end}" if end else "a comma")
            return found

    def _read_value(self, *, in_braces: bool) -> Any:
        if self._take("["):
            return self._read_list()
        if self._take("{"):
            return self.read_members("}")
        first = self._read_scalar(FIRST)
        return first if in_braces else self._read_further(first)

    def _read_further(self, first: str) -> Any:
        """Read `a,b,c` as a list, unless what follows a comma is another `key=`."""
        values = [first]
        while True:
            start = self.position
            self._skip_blanks()
            if not self._take(",") or KEY.match(self.text, self.position):
                self.position = start
                return values if len(values) > 1 else first
            self._skip_blanks()
            values.append(self._read_scalar(FURTHER))

    def _read_list(self) -> list[Any]:
        values: list[Any] = []
        while True:
            self._skip_blanks()
            if self._take("]"):
                return values
            values.append(self._read_value(in_braces=True))
            self._skip_blanks()
            if not self._take(",") and self.text[self.position : self.position + 1] != "]":
                raise self.error("a comma or ]")

    def _read_scalar(self, pattern: re.Pattern[str]) -> str:
        quote = self.text[self.position : self.position + 1]
        if quote in QUOTED:
            found = self._match(QUOTED[quote])
            if found is None:
                raise self.error(f"a closing {quote}")
            return found.replace(f"\\{quote}", quote).replace("\\\\", "\\")
        found = self._match(pattern)
        return (found or "").replace("\\,", ",").rstrip()

    def _take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.position)
        self.position += len(sign) if found else 0
        return found

    def _match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self.text, self.position)
        if found is None:
            return None
        self.position = found.end()
        return found[1]

    def _skip_blanks(self) -> None:
        found = BLANK.match(self.text, self.position)
        self.position = found.end() if found else self.position
