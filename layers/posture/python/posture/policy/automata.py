"""Unions of patterns as automata, and the shortest text that meets some and avoids others.

A union is run as a set of positions, held in the bits of one integer, so that a list of hundreds
of ARNs costs one shift a character. Several unions are run side by side, and only the states that
a text can reach are ever looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from posture.policy.tokens import CHARACTER_CLASSES, CharacterClass, Token, pick_representatives

MOST_STATES = 20_000  # of one search
Pattern = tuple[Token, ...]
END = "\0"  # goes on with nothing: no pattern names it


class BudgetExceededError(Exception):
    """The search cost more than it may; nothing is decided."""


class SearchBudget:
    """How many states may still be looked at; shared by all searches of one decision."""

    def __init__(self, states: int) -> None:
        self.left = states

    def spend(self, states: int = 1) -> None:
        """Take some.

        Raises:
            ExhaustedError: there are not so many left.
        """
        self.left -= states
        if self.left < 0:
            raise BudgetExceededError

    @contextmanager
    def share(self, one_of: int) -> Iterator[None]:
        """Within it there is but one of so many equal parts; what is not spent is kept."""
        aside = self.left - self.left // one_of
        self.left -= aside
        try:
            yield
        finally:
            self.left = max(self.left, 0) + aside


class PatternSet:
    """The texts that match any of some patterns."""

    __slots__ = (
        "_advance",
        "_choices",
        "_hash",
        "_loops",
        "_moves",
        "_open",
        "_stars",
        "accepting",
        "classes",
        "patterns",
        "start",
    )

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        listed = tuple(dict.fromkeys(patterns))  # in a steady order, so that examples are, too
        self.patterns = frozenset(listed)
        self._advance: dict[CharacterClass, int] = {}
        self._loops: dict[CharacterClass, int] = {}
        self._moves: dict[str, tuple[int, int]] = {}
        begin, self.accepting, position = 0, 0, 0
        for pattern in listed:
            begin |= 1 << position
            for token in pattern:
                table = self._loops if token.repeated else self._advance
                table[token.characters] = table.get(token.characters, 0) | 1 << position
                position += 1
            self.accepting |= 1 << position
            position += 1
        self.classes = frozenset((*self._advance, *self._loops))
        self._stars = sum(self._loops.values())
        self._open = self._stars  # where more than a few named characters go on
        for characters, positions in self._advance.items():
            if characters in CHARACTER_CLASSES:
                self._open |= positions
        self._choices: dict[int, str | None] = {}
        self._hash = hash(self.patterns)
        self.start = self._skipping(begin)

    def _skipping(self, positions: int) -> int:
        """Step over stars, which may stand for nothing."""
        while (skipped := positions | (positions & self._stars) << 1) != positions:
            positions = skipped
        return positions

    def step(self, positions: int, character: str) -> int:
        """Read one character; 0 when no text that goes on like this can match."""
        moves = self._moves.get(character)
        if moves is None:
            moves = self._moves[character] = (
                _of(self._advance, character),
                _of(self._loops, character),
            )
        advancing, looping = moves
        reached = (positions & advancing) << 1 | positions & looping
        return self._skipping(reached) if reached else 0

    def choices(self, positions: int) -> str | None:
        """Give the only characters that go on; None where a whole class does."""
        if positions & self._open:
            return None
        found = self._choices.get(positions)
        if found is None:
            found = self._choices[positions] = "".join(
                characters for characters, where in self._advance.items() if positions & where
            )
        return found

    def accepts(self, value: str) -> bool:
        """Tell whether a text matches."""
        positions = self.start
        for character in value:
            positions = self.step(positions, character)
            if not positions:
                return False
        return bool(positions & self.accepting)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PatternSet) and self.patterns == other.patterns

    def __hash__(self) -> int:
        return self._hash


@lru_cache(maxsize=2048)
def compile_patterns(*patterns: Pattern) -> PatternSet:
    """Give the automaton of some patterns."""
    return PatternSet(patterns)


def _of(table: dict[CharacterClass, int], character: str) -> int:
    found = 0
    for characters, positions in table.items():
        member = CHARACTER_CLASSES.get(characters)
        if member(character) if member else character in characters:
            found |= positions
    return found


def find_shortest_text(
    required: Sequence[PatternSet],
    excluded: Sequence[PatternSet],
    budget: SearchBudget,
    preferred: Iterable[str] = (),
) -> str | None:
    """Give a text that every union of `meeting` accepts and none of `avoiding`; None: none exists.

    The first of `hints` that will do is taken, for it reads better; else it is a shortest one.

    Raises:
        ExhaustedError: too many states were looked at.
    """
    for hint in (*preferred, *(text for each in required for text in _literals(each))):
        if _fits(hint, required, excluded):
            return hint
    found, states = _searched(tuple(dict.fromkeys(required)), tuple(dict.fromkeys(excluded)))
    budget.spend(states)  # of a search that is remembered, too: what is decided is not chance
    return found


@lru_cache(maxsize=2048)
def _literals(each: PatternSet) -> tuple[str, ...]:
    """Give the literal texts of a union: they are tried by themselves before any search."""
    return tuple(
        sorted(
            "".join(token.characters[-1] for token in pattern)
            for pattern in each.patterns
            if not any(token.repeated or token.characters in CHARACTER_CLASSES for token in pattern)
        )
    )


def _fits(value: str, required: Sequence[PatternSet], excluded: Sequence[PatternSet]) -> bool:
    return all(each.accepts(value) for each in required) and not any(
        each.accepts(value) for each in excluded
    )


@lru_cache(maxsize=4096)
def _searched(
    required: tuple[PatternSet, ...], excluded: tuple[PatternSet, ...]
) -> tuple[str | None, int]:
    """Give a shortest text, and how many states were looked at."""
    budget = SearchBudget(MOST_STATES)
    unions = (*required, *excluded)
    must = len(required)
    letters = pick_representatives(
        frozenset(characters for each in unions for characters in each.classes)
    )
    start = tuple(each.start for each in unions)
    came_from: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        budget.spend()
        if _accepted(state, unions, must):
            return _spelt(state, came_from), MOST_STATES - budget.left
        for letter in _choices(state, unions[:must]) or letters:
            reached = _stepped(state, letter, unions, must)
            if reached and reached not in came_from:
                came_from[reached] = state, letter
                waiting.append(reached)
    return None, MOST_STATES - budget.left


def _choices(state: tuple[int, ...], required: Iterable[PatternSet]) -> str | None:
    """Give the only characters that any text to be found may go on with, where they are few."""
    for positions, each in zip(state, required, strict=False):
        found = each.choices(positions)
        if found is not None:
            return found or END
    return None


def _stepped(
    state: tuple[int, ...], letter: str, unions: Sequence[PatternSet], must: int
) -> tuple[int, ...] | None:
    reached = []
    for number, (positions, each) in enumerate(zip(state, unions, strict=True)):
        after = each.step(positions, letter) if positions else 0
        if not after and number < must:
            return None
        reached.append(after)
    return tuple(reached)


def _accepted(state: tuple[int, ...], unions: Sequence[PatternSet], must: int) -> bool:
    return all(
        bool(positions & each.accepting) == (number < must)
        for number, (positions, each) in enumerate(zip(state, unions, strict=True))
    )


def _spelt(
    state: tuple[int, ...], came_from: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None]
) -> str:
    letters: list[str] = []
    step = came_from[state]
    while step is not None:
        state, letter = step
        letters.append(letter)
        step = came_from[state]
    return "".join(reversed(letters))


def find_distinct_texts(
    shape: PatternSet, unions: Sequence[PatternSet], budget: SearchBudget
) -> list[str]:
    """Give one text of the shape for every way in which the unions can tell texts apart.

    Raises:
        ExhaustedError: too many states were looked at.
    """
    everything = (shape, *unions)
    letters = pick_representatives(
        frozenset(characters for each in everything for characters in each.classes)
    )
    start = tuple(each.start for each in everything)
    seen = {start: ""}
    waiting = deque([start])
    found: dict[tuple[bool, ...], str] = {}
    while waiting:
        state = waiting.popleft()
        budget.spend()
        verdict = tuple(
            bool(positions & each.accepting)
            for positions, each in zip(state, everything, strict=True)
        )
        if verdict[0]:
            found.setdefault(verdict[1:], seen[state])
        for letter in letters:
            reached = _stepped(state, letter, everything, 1)
            if reached and reached not in seen:
                seen[reached] = seen[state] + letter
                waiting.append(reached)
    return list(found.values())
