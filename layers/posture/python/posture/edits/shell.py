"""Splits a line of shell into calls and their words, as a POSIX shell does.

Quotes, backslashes, comments and line continuations are known, and `&&`, `;` and line ends between
calls. Everything that a shell would compute first (variables, other commands, redirections) is an
error, because its value is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from posture.errors import MalformedRequestError

BLANK = " \t\r"
LINE_END = "\n"
# What a shell computes or connects; `&&` is the only one of these that is known.
OPERATORS = "&|<>()"
ESCAPABLE_IN_DOUBLE_QUOTES = '$`"\\'


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes, and the line and column where it begins, from 1."""

    text: str
    line: int
    column: int

    @property
    def place(self) -> str:
        """The position for an error."""
        return f"line {self.line}, column {self.column}"


def split_calls(text: str) -> tuple[tuple[Word, ...], ...]:
    """Return the words of each call of a command.

    Raises:
        MalformedRequestError: A quote is open, a call is missing beside `&&`, or a shell would
            compute something first; the message names the position.
    """
    return tuple(_Splitter(text).split())


@dataclass
class _Splitter:
    text: str
    position: int = 0
    words: list[Word] = field(default_factory=list)
    joined: str = ""  # the `&&` that needs another call after it

    def split(self) -> Iterator[tuple[Word, ...]]:
        while self.position < len(self.text):
            character = self.text[self.position]
            if character in BLANK or self.text.startswith("\\\n", self.position):
                self.position += 1 if character in BLANK else 2
            elif character == "#":
                end = self.text.find(LINE_END, self.position)
                self.position = end if end >= 0 else len(self.text)
            elif self.text.startswith("&&", self.position):
                yield from self._end_call("&&")
                self.position += 2
            elif character == ";" or (character == LINE_END and not self.joined):
                yield from self._end_call("" if character == LINE_END else ";")
                self.position += 1
            elif character == LINE_END:
                self.position += 1
            else:
                self.words.append(self._read_word())
                self.joined = ""
        if self.joined:
            raise self._error(len(self.text), f"expected a command after {self.joined}")
        yield from self._end_call("")

    def _end_call(self, operator: str) -> Iterator[tuple[Word, ...]]:
        if self.words:
            yield tuple(self.words)
        elif operator:
            raise self._error(self.position, f"expected a command before {operator}")
        self.words = []
        self.joined = operator if operator == "&&" else ""

    def _read_word(self) -> Word:
        start = self.position
        parts: list[str] = []
        while self.position < len(self.text):
            character = self.text[self.position]
            if character in BLANK + LINE_END + ";" or self.text.startswith("&&", self.position):
                break
            if character == "'":
                parts.append(self._read_single_quoted())
            elif character == '"':
                parts.append(self._read_double_quoted())
            elif character == "\\":
                parts.append(self._read_escaped())
            else:
                self._refuse_computed(character)
                if character in OPERATORS:
                    raise self._error(
                        self.position, f"{character}: expected && or ; between AWS CLI commands"
                    )
                parts.append(character)
                self.position += 1
        line, column = self._locate(start)
        return Word("".join(parts), line, column)

    def _read_single_quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise self._error(self.position, "expected a closing '")
        quoted = self.text[self.position + 1 : end]
        self.position = end + 1
        return quoted

    def _read_double_quoted(self) -> str:
        start = self.position
        parts: list[str] = []
        self.position += 1
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == '"':
                self.position += 1
                return "".join(parts)
            following = self.text[self.position + 1 : self.position + 2]
            if character == "\\" and following and following in ESCAPABLE_IN_DOUBLE_QUOTES + "\n":
                parts.append(following if following != LINE_END else "")
                self.position += 2
                continue
            self._refuse_computed(character)
            parts.append(character)
            self.position += 1
        raise self._error(start, 'expected a closing "')

    def _read_escaped(self) -> str:
        following = self.text[self.position + 1 : self.position + 2]
        if not following:
            raise self._error(self.position, "expected a character after the backslash")
        self.position += 2
        return following if following != LINE_END else ""

    def _refuse_computed(self, character: str) -> None:
        following = self.text[self.position + 1 : self.position + 2]
        is_variable = character == "$" and (following.isalnum() or following in tuple("_{(@?*!'\""))
        if character == "`" or is_variable:
            raise self._error(
                self.position, f"{character}{following}: expected a value, which only a shell knows"
            )

    def _locate(self, position: int) -> tuple[int, int]:
        before = self.text[:position]
        return before.count("\n") + 1, position - before.rfind("\n")

    def _error(self, position: int, message: str) -> MalformedRequestError:
        line, column = self._locate(position)
        return MalformedRequestError(f"line {line}, column {column}: {message}")
