"""Splits a text of shell into calls and their words, as a POSIX shell does.

Quotes, backslashes, comments and line continuations are known, `&&`, `;` and line ends between
calls, and a variable that holds the output of a call: `GROUP=$(aws …) && aws … "$GROUP"`.
Everything else that a shell would compute (other variables, pipes, redirections) is an error,
because its value is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from posture.errors import MalformedRequestError
from posture.lean_dataclass import dataclass

BLANK = " \t\r"
LINE_END = "\n"
# What a shell computes or connects; `&&` and the `(` of an assignment are known.
OPERATORS = "&|<>()"
ASSIGNMENT = re.compile(r'([A-Za-z_]\w*)=("?)\$\(')
# Characters that mean nothing but themselves.
PLAIN = re.compile(r"[^\s;&|<>()'\"\\$`]+")
# Most words of a call have no others, and blanks on both sides.
PLAIN_WORD = re.compile(rf"[{BLANK}]*((?!#){PLAIN.pattern})(?=[{BLANK}]|\Z)")
PLAIN_IN_DOUBLE_QUOTES = re.compile(r'[^"\\$`]+')
VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
ESCAPABLE_IN_DOUBLE_QUOTES = '$`"\\'


@dataclass(frozen=True, slots=True)
class ShellVariable:
    """A variable in a word."""

    name: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes, and where in the text of all calls it begins."""

    parts: tuple[str | ShellVariable, ...]
    text: str
    start: int

    @property
    def place(self) -> str:
        """The line and column of the word for an error, from 1."""
        return _describe_place(self.text, self.start)

    def fill(self, variables: Mapping[str, str]) -> str:
        """Return the word with the values of its variables.

        Raises:
            MalformedRequestError: A variable has no value.
        """
        found: list[str] = []
        for part in self.parts:
            value = part if isinstance(part, str) else variables.get(part.name)
            if value is None:
                raise MalformedRequestError(
                    f"{self.place}: ${part.name}: expected a variable that an earlier command of "  # type: ignore[union-attr]
                    f"this text sets, as in {part.name}=$(aws ec2 create-security-group … "  # type: ignore[union-attr]
                    "--query GroupId --output text)"
                )
            found.append(value)
        return "".join(found)


@dataclass(frozen=True, slots=True)
class ShellCall:
    """The words of one call, and the variable that takes its output, or ""."""

    words: tuple[Word, ...]
    variable: str = ""


def split_calls(text: str) -> tuple[ShellCall, ...]:
    """Return the calls of a command.

    Raises:
        MalformedRequestError: A quote is open, a call is missing beside `&&`, or a shell would
            compute something else first; the message names the position.
    """
    return tuple(_Splitter(text).split())


@dataclass
class _Splitter:
    text: str
    position: int = 0
    words: list[Word] = field(default_factory=list)
    joined: str = ""  # the `&&` that needs another call after it
    variable: str = ""
    closing: str = ""  # what ends the assignment that is being read
    closed: bool = False  # the assignment of this call has ended

    def split(self) -> Iterator[ShellCall]:
        while self.position < len(self.text):
            if self._read_plain_word():
                continue
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
                self._read_part()
        if self.joined:
            raise self._error(len(self.text), f"expected a command after {self.joined}")
        yield from self._end_call("")

    def _read_plain_word(self) -> bool:
        """Read a plain word after the first one of a call; return whether there is one."""
        if not self.words or self.closed:
            return False
        found = PLAIN_WORD.match(self.text, self.position)
        if found:
            self.words.append(Word((found[1],), self.text, found.start(1)))
            self.position = found.end()
        return bool(found)

    def _read_part(self) -> None:
        """Read a word, or the beginning or end of an assignment."""
        if self.closing and self.text.startswith(self.closing, self.position):
            self.position += len(self.closing)
            self.closing, self.closed = "", True
        elif self.closed:
            raise self._error(self.position, "expected && or ; between AWS CLI commands")
        elif self.words or self.variable or not self._read_assignment():
            self.words.append(self._read_word())
            self.joined = ""

    def _read_assignment(self) -> bool:
        found = ASSIGNMENT.match(self.text, self.position)
        if found:
            self.variable, self.closing = found[1], f"){found[2]}"
            self.position = found.end()
        return bool(found)

    def _end_call(self, operator: str) -> Iterator[ShellCall]:
        if self.closing:
            raise self._error(self.position, f"expected {self.closing} after the command")
        if self.words:
            yield ShellCall(tuple(self.words), self.variable)
        elif operator or self.variable:
            before = operator or "the end"
            raise self._error(self.position, f"expected a command before {before}")
        self.words, self.variable, self.closed = [], "", False
        self.joined = operator if operator == "&&" else ""

    def _read_word(self) -> Word:
        start = self.position
        parts: list[str | ShellVariable] = []
        while self.position < len(self.text):
            if plain := self._read_plain(PLAIN):
                parts.append(plain)
                continue
            character = self.text[self.position]
            ends = character in BLANK + LINE_END + ";" or (self.closing and character == ")")
            if ends or self.text.startswith("&&", self.position):
                break
            if character == "'":
                parts.append(self._read_single_quoted())
            elif character == '"':
                parts += self._read_double_quoted()
            elif character == "\\":
                parts.append(self._read_escaped())
            elif variable := self._read_variable():
                parts.append(variable)
            else:
                if character in OPERATORS:
                    raise self._error(
                        self.position, f"{character}: expected && or ; between AWS CLI commands"
                    )
                parts.append(character)
                self.position += 1
        return Word(tuple(parts), self.text, start)

    def _read_plain(self, pattern: re.Pattern[str]) -> str:
        """Read what means nothing but itself here; "" if there is none."""
        found = pattern.match(self.text, self.position)
        if found is None:
            return ""
        self.position = found.end()
        return found[0]

    def _read_single_quoted(self) -> str:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise self._error(self.position, "expected a closing '")
        quoted = self.text[self.position + 1 : end]
        self.position = end + 1
        return quoted

    def _read_double_quoted(self) -> list[str | ShellVariable]:
        start = self.position
        parts: list[str | ShellVariable] = []
        self.position += 1
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == '"':
                self.position += 1
                return parts
            if plain := self._read_plain(PLAIN_IN_DOUBLE_QUOTES):
                parts.append(plain)
                continue
            following = self.text[self.position + 1 : self.position + 2]
            if character == "\\" and following and following in ESCAPABLE_IN_DOUBLE_QUOTES + "\n":
                parts.append(following if following != LINE_END else "")
                self.position += 2
                continue
            if variable := self._read_variable():
                parts.append(variable)
                continue
            parts.append(character)
            self.position += 1
        raise self._error(start, 'expected a closing "')

    def _read_escaped(self) -> str:
        following = self.text[self.position + 1 : self.position + 2]
        if not following:
            raise self._error(self.position, "expected a character after the backslash")
        self.position += 2
        return following if following != LINE_END else ""

    def _read_variable(self) -> ShellVariable | None:
        """Read a variable, and refuse what else a shell would compute here."""
        if found := VARIABLE.match(self.text, self.position):
            self.position = found.end()
            return ShellVariable(found[1] or found[2])
        at = self.text[self.position : self.position + 2]
        if at[0] == "`" or (at[0] == "$" and (at[1:].isalnum() or at[1:] in {*"{(@?*!'"})):
            raise self._error(self.position, f"{at}: expected a value, which only a shell computes")
        return None

    def _error(self, position: int, message: str) -> MalformedRequestError:
        return MalformedRequestError(f"{_describe_place(self.text, position)}: {message}")


def _describe_place(text: str, position: int) -> str:
    before = text[:position]
    line, column = before.count(LINE_END) + 1, position - before.rfind(LINE_END)
    return f"line {line}, column {column}"
