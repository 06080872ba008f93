"""Sets of patterns as automata, and shortest texts that match some sets and no others.

A pattern set runs as a set of positions, kept as the bits of one integer, so that a list of
hundreds of ARNs costs one shift per character. Several sets run side by side, and only the
states that a text can reach are visited.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from posture.policy.tokens import CHARACTER_CLASSES, CharacterClass, Token, pick_representatives

MAX_STATES = 20_000  # per search
Pattern = tuple[Token, ...]
NO_CHARACTER = "\0"  # leads to no state: no pattern names it


class BudgetExceededError(Exception):
    """The search visited as many states as it may, so nothing is decided."""


class SearchBudget:
    """The number of states that may still be visited, shared by all searches of one question."""

    def __init__(self, states: int) -> None:
        self.left = states

    def spend(self, states: int = 1) -> None:
        """Take states from the budget.

        Raises:
            BudgetExceededError: The budget does not hold so many.
        """
        self.left -= states
        if self.left < 0:
            raise BudgetExceededError

    @contextmanager
    def share(self, parts: int) -> Iterator[None]:
        """Limit the budget to one of `parts` equal parts; what is not spent is kept."""
        aside = self.left - self.left // parts
        self.left -= aside
        try:
            yield
        finally:
            self.left = max(self.left, 0) + aside


class PatternSet:
    """The texts that match any of some patterns."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        listed = tuple(dict.fromkeys(patterns))  # in a fixed order, so that examples are stable
        self.patterns = frozenset(listed)
        self._advance: dict[CharacterClass, int] = {}
        self._loops: dict[CharacterClass, int] = {}
        self._moves: dict[str, tuple[int, int]] = {}
        self._next_characters: dict[int, str | None] = {}
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
        self._repeated = sum(self._loops.values())
        self._open = self._repeated  # positions at which a whole class continues
        for characters, positions in self._advance.items():
            if characters in CHARACTER_CLASSES:
                self._open |= positions
        self._hash = hash(self.patterns)
        self.start = self._skip_repeated(begin)

    def _skip_repeated(self, positions: int) -> int:
        """Add the positions behind repeated tokens, which may match no character."""
        while (skipped := positions | (positions & self._repeated) << 1) != positions:
            positions = skipped
        return positions

    def step(self, positions: int, character: str) -> int:
        """Return the positions after one character; 0 when no continuation can match."""
        moves = self._moves.get(character)
        if moves is None:
            moves = self._moves[character] = (
                _positions_of(character, self._advance),
                _positions_of(character, self._loops),
            )
        advancing, looping = moves
        reached = (positions & advancing) << 1 | positions & looping
        return self._skip_repeated(reached) if reached else 0

    def next_characters(self, positions: int) -> str | None:
        """Return the only characters that continue a match; None where a whole class does."""
        if positions & self._open:
            return None
        found = self._next_characters.get(positions)
        if found is None:
            found = self._next_characters[positions] = "".join(
                characters for characters, where in self._advance.items() if positions & where
            )
        return found

    def accepts(self, value: str) -> bool:
        """Return whether a text matches."""
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
    """Return the pattern set of some patterns, compiled once."""
    return PatternSet(patterns)


def _positions_of(character: str, table: dict[CharacterClass, int]) -> int:
    found = 0
    for characters, positions in table.items():
        contains = CHARACTER_CLASSES.get(characters)
        if contains(character) if contains else character in characters:
            found |= positions
    return found


def find_shortest_text(
    required: Sequence[PatternSet],
    excluded: Sequence[PatternSet],
    budget: SearchBudget,
    preferred: Iterable[str] = (),
) -> str | None:
    """Return a text that every `required` set accepts and no `excluded` set does.

    Args:
        required: The sets that must accept the text.
        excluded: The sets that must not.
        budget: Pays for the states that the search visits.
        preferred: Texts that read well. The first one that fits is returned.

    Returns:
        A preferred text, a literal of a required set, or else a shortest text; None if none exists.

    Raises:
        BudgetExceededError: The search visited too many states.
    """
    for text in (*preferred, *(text for each in required for text in _list_literals(each))):
        if all(each.accepts(text) for each in required) and not any(
            each.accepts(text) for each in excluded
        ):
            return text
    found, states = _search(tuple(dict.fromkeys(required)), tuple(dict.fromkeys(excluded)))
    budget.spend(states)  # a cached search costs the same, so that answers do not vary
    return found


@lru_cache(maxsize=2048)
def _list_literals(each: PatternSet) -> tuple[str, ...]:
    """Return the texts of the patterns without wildcards; they are tried before any search."""
    return tuple(
        sorted(
            "".join(token.characters[-1] for token in pattern)
            for pattern in each.patterns
            if not any(token.repeated or token.characters in CHARACTER_CLASSES for token in pattern)
        )
    )


@lru_cache(maxsize=4096)
def _search(
    required: tuple[PatternSet, ...], excluded: tuple[PatternSet, ...]
) -> tuple[str | None, int]:
    """Return a shortest text, and how many states were visited."""
    budget = SearchBudget(MAX_STATES)
    sets = (*required, *excluded)
    for state, text in _explore(sets, len(required), budget):
        if all(
            bool(positions & each.accepting) == (number < len(required))
            for number, (positions, each) in enumerate(zip(state, sets, strict=True))
        ):
            return text, MAX_STATES - budget.left
    return None, MAX_STATES - budget.left


def _explore(
    sets: Sequence[PatternSet], required: int, budget: SearchBudget
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield each reachable state of all sets with a shortest text that leads to it.

    Texts that one of the first `required` sets can no longer match are not continued.
    """
    characters = pick_representatives(frozenset(name for each in sets for name in each.classes))
    start = tuple(each.start for each in sets)
    reached = {start}
    waiting = deque([(start, "")])
    while waiting:
        state, text = waiting.popleft()
        budget.spend()
        yield state, text
        for character in _next_characters(state, sets[:required]) or characters:
            following = _step_all(state, character, sets, required)
            if following and following not in reached:
                reached.add(following)
                waiting.append((following, text + character))


def _next_characters(state: tuple[int, ...], required: Iterable[PatternSet]) -> str | None:
    for positions, each in zip(state, required, strict=False):
        found = each.next_characters(positions)
        if found is not None:
            return found or NO_CHARACTER
    return None


def _step_all(
    state: tuple[int, ...], character: str, sets: Sequence[PatternSet], required: int
) -> tuple[int, ...] | None:
    reached = []
    for number, (positions, each) in enumerate(zip(state, sets, strict=True)):
        following = each.step(positions, character) if positions else 0
        if not following and number < required:
            return None
        reached.append(following)
    return tuple(reached)


def find_distinct_texts(
    shape: PatternSet, sets: Sequence[PatternSet], budget: SearchBudget
) -> list[str]:
    """Return one text of the shape for every combination of sets that accept it.

    Raises:
        BudgetExceededError: The search visited too many states.
    """
    found: dict[tuple[bool, ...], str] = {}
    for (first, *rest), text in _explore((shape, *sets), 1, budget):
        if first & shape.accepting:
            accepted = zip(rest, sets, strict=True)
            found.setdefault(tuple(bool(at & each.accepting) for at, each in accepted), text)
    return list(found.values())
