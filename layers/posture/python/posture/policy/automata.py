"""Sets of patterns as automata, and shortest texts that match some sets and no others.

A pattern set runs as a set of positions, kept as the bits of one integer, so that a list of
hundreds of ARNs costs one shift per character. Several sets run side by side, and only the
states that a text can reach are visited. A pattern that has reached a later `*` forgets its earlier
positions, since all that they match is matched from there, too: states are few even where
wildcards overlap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache

from posture.policy.search_budget import BudgetExceededError, SearchBudget
from posture.policy.tokens import (
    ANY,
    CHARACTER_CLASSES,
    Alphabet,
    CharacterClass,
    Token,
    match_many,
    pick_alphabet,
)

Pattern = tuple[Token, ...]
EVERYTHING = match_many(ANY)
MAX_SEARCH_UNITS = 500_000  # of one search
NO_CHARACTER = "\0"  # leads to no state: no pattern names it
POSITIONS_PER_UNIT = 2048  # that a set may have to be advanced by one character for one unit
MAX_CACHED = 4096  # positions of an excluded set of a search that is cached
UNITS_PER_SEARCH = 100  # to set it up


class PatternSet:
    """The texts that match any of some patterns."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        listed = tuple(dict.fromkeys(patterns))  # in a fixed order, so that examples are stable
        self.patterns = frozenset(listed)
        self._advance: dict[CharacterClass, int] = {}
        self._loops: dict[CharacterClass, int] = {}
        self._begin = self.accepting = self._stars = self._forever = self.size = 0
        for pattern in listed:
            self._add(pattern)
        self._complete()

    def _add(self, pattern: Pattern) -> None:
        begin = position = self.size
        for at, token in enumerate(pattern):
            if token.repeated and at and token == pattern[at - 1]:
                continue
            table = self._loops if token.repeated else self._advance
            table[token.characters] = table.get(token.characters, 0) | 1 << position
            if token.repeated and token.characters == ANY and position > begin:
                self._stars |= 1 << position
            position += 1
        if pattern and pattern[-1] == EVERYTHING:
            self._forever |= 1 << position - 1
        self._begin |= 1 << begin
        self.accepting |= 1 << position
        self.size = position + 1

    def _complete(self) -> None:
        """Derive what the automaton needs while it runs."""
        self._moves: dict[str, tuple[int, int]] = {}
        self._next_characters: dict[int, str] = {}
        self._below: list[tuple[int, int]] = []
        self.weight = 1 + self.size // POSITIONS_PER_UNIT
        self.classes = frozenset((*self._advance, *self._loops))
        self._repeated = sum(self._loops.values())
        self._open = self._repeated  # positions at which a whole class continues
        self._named = []
        for characters, positions in self._advance.items():
            if characters in CHARACTER_CLASSES:
                self._open |= positions
            else:
                self._named.append((characters, positions))
        self._hash = hash(self.patterns)
        shift, followed = 1, (1 << self.size) - 1 & ~self.accepting
        while self._stars and followed:  # positions with another one so far behind in the pattern
            self._below.append((shift, followed))
            followed &= followed >> shift
            shift *= 2
        self.start = self._skip_repeated(self._begin)

    def join(self, other: PatternSet) -> PatternSet:
        """Return the set of the texts that match a pattern of either set."""
        if not self.patterns:
            return other
        if other.patterns <= self.patterns:
            return self
        joined = PatternSet(())
        joined.patterns = self.patterns | other.patterns
        for mine, table, theirs in (
            (self._advance, joined._advance, other._advance),
            (self._loops, joined._loops, other._loops),
        ):
            table.update(mine)
            for characters, positions in theirs.items():
                table[characters] = table.get(characters, 0) | positions << self.size
        joined._begin = self._begin | other._begin << self.size
        joined.accepting = self.accepting | other.accepting << self.size
        joined._stars = self._stars | other._stars << self.size
        joined._forever = self._forever | other._forever << self.size
        joined.size = self.size + other.size
        joined._complete()
        return joined

    @cached_property
    def is_literal(self) -> bool:
        """Whether no pattern has a wildcard."""
        return len(_list_literals(self)) == len(self.patterns)

    def is_certain(self, positions: int) -> bool:
        """Return whether every continuation of the text matches."""
        return bool(positions & self._forever)

    def _skip_repeated(self, positions: int) -> int:
        """Add the positions behind repeated tokens, which may match no character.

        Positions that later ones of the same pattern make needless are left out.
        """
        while (skipped := positions | (positions & self._repeated) << 1) != positions:
            positions = skipped
        if certain := positions & self._forever:
            return certain & -certain  # all continuations match: one position says so
        if stars := positions & self._stars:
            for shift, followed in self._below:
                stars |= stars >> shift & followed
            positions &= ~(stars >> 1 & self._below[0][1])
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

    def is_open(self, positions: int) -> bool:
        """Return whether a whole class of characters continues a match."""
        return bool(positions & self._open)

    def list_characters(self, positions: int) -> str:
        """Return the characters that continue a match and that a pattern names."""
        found = self._next_characters.get(positions)
        if found is None:
            found = self._next_characters[positions] = "".join(
                characters for characters, where in self._named if positions & where
            )
        return found

    def accepts(self, value: str) -> bool:
        """Return whether a text matches."""
        positions = self.start
        for character in value:
            positions = self.step(positions, character)
            if not positions or self.is_certain(positions):
                break
        return self.is_accepted(positions)

    def is_accepted(self, positions: int) -> bool:
        """Return whether the text that led to some positions matches."""
        return bool(positions & (self.accepting | self._forever))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PatternSet) and self.patterns == other.patterns

    def __hash__(self) -> int:
        return self._hash


NOTHING = PatternSet(())


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
        budget: Pays for the work of the search.
        preferred: Texts that read well. The first one that fits is returned.

    Returns:
        A preferred text, a literal of a required set, or else a shortest text; None if none exists.

    Raises:
        BudgetExceededError: The search did too much work.
    """
    required = list(dict.fromkeys(required))
    unwanted = _join_all(tuple(dict.fromkeys(excluded)), budget)
    for text in (*preferred, *(text for each in required for text in _list_literals(each))):
        if _fits(text, required, unwanted, budget):
            return text
    budget.spend(UNITS_PER_SEARCH)
    limit = MAX_SEARCH_UNITS
    while limit > max(budget.left, 0):
        limit //= 2  # few different limits, so that searches are found in the cache
    search = _search if unwanted.size <= MAX_CACHED else _search.__wrapped__
    found, units, is_complete = search(tuple(required), unwanted, limit)
    budget.spend(units)  # a cached search costs the same, so that answers do not vary
    if not is_complete:
        raise BudgetExceededError
    return found


def _join_all(sets: tuple[PatternSet, ...], budget: SearchBudget) -> PatternSet:
    """Join sets: the last one with the others where those are joined already, or else by halves."""
    if len(sets) <= 1:
        return sets[0] if sets else NOTHING

    def join() -> PatternSet:
        middle = len(sets) - 1 if budget.has(sets[:-1]) else len(sets) // 2
        joined = _join_all(sets[:middle], budget).join(_join_all(sets[middle:], budget))
        budget.spend(len(joined.patterns) // 4 + 2 * len(joined.classes) * joined.weight)
        return joined

    budget.spend(1 + len(sets) // 8)
    return budget.remember(sets, join)


def _fits(
    text: str, required: Iterable[PatternSet], excluded: PatternSet, budget: SearchBudget
) -> bool:
    """Return whether all required sets, and not the excluded one, accept a text."""
    for each, wanted in (*((each, True) for each in required), (excluded, False)):
        positions, steps = each.start, 0
        for character in text:
            positions = each.step(positions, character)
            steps += 1
            if not positions:
                break
        budget.spend((1 + steps) * each.weight)
        if each.is_accepted(positions) != wanted:
            return False
    return True


def find_option(
    options: tuple[str, ...],
    required: Iterable[PatternSet],
    excluded: Iterable[PatternSet],
    budget: SearchBudget,
) -> str | None:
    """Return the first of some texts that every required set and no excluded set accepts."""
    fitting = (1 << len(options)) - 1
    for each, wanted in (*((each, True) for each in required), *((e, False) for e in excluded)):
        matching = _find_matching(options, each, budget)
        fitting &= matching if wanted else ~matching
    return options[(fitting & -fitting).bit_length() - 1] if fitting else None


def _find_matching(options: tuple[str, ...], each: PatternSet, budget: SearchBudget) -> int:
    """Return which of some texts a set accepts, as the bits of a number."""

    def match() -> int:
        budget.spend(1 + len(options) * (1 if each.is_literal else 10 * each.weight))
        return _match_all(options, each)

    budget.spend()
    return budget.remember((options, each), match)


@lru_cache(maxsize=2048)
def _match_all(options: tuple[str, ...], each: PatternSet) -> int:
    literals = frozenset(_list_literals(each))
    matching = (each.accepts(text) if not each.is_literal else text in literals for text in options)
    return sum(1 << at for at, matches in enumerate(matching) if matches)


@lru_cache(maxsize=2048)
def _list_literals(each: PatternSet) -> tuple[str, ...]:
    """Return the texts of the patterns without wildcards; they are tried before any search."""
    return tuple(
        sorted(
            "".join(token.characters[-1] for token in pattern)
            for pattern in each.patterns
            if all(len(token.characters) == 1 and not token.repeated for token in pattern)
        )
    )


@lru_cache(maxsize=4096)
def _search(
    required: tuple[PatternSet, ...], excluded: PatternSet, units: int
) -> tuple[str | None, int, bool]:
    """Return a shortest text, the units that were spent, and whether they were enough."""
    budget = SearchBudget(units)
    sets = (*required, excluded)
    try:
        for (*state, avoided), text in _explore(sets, len(required), budget, excluding=True):
            if not excluded.is_accepted(avoided) and all(
                each.is_accepted(at) for at, each in zip(state, required, strict=True)
            ):
                return text, units - budget.left, True
    except BudgetExceededError:
        return None, units, False
    return None, units - budget.left, True


def _explore(
    sets: Sequence[PatternSet], required: int, budget: SearchBudget, *, excluding: bool = False
) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield each reachable state of all sets with a shortest text that leads to it.

    Texts that one of the first `required` sets can no longer match are not continued; if
    `excluding`, nor are those of which the last set matches every continuation.
    """
    alphabet = pick_alphabet(frozenset(name for each in sets for name in each.classes))
    weight = sum(each.weight for each in sets)
    overhead = 4 + weight + len(sets) + sum(len(each.classes) // 8 for each in sets)
    start = tuple(each.start for each in sets)
    reached = {start}
    waiting = deque([(start, "")])
    while waiting:
        state, text = waiting.popleft()
        if excluding and sets[-1].is_certain(state[-1]):
            continue
        tried = _list_characters(state, sets, required, alphabet)
        budget.spend(overhead + len(text) // 256 + weight * len(tried))
        yield state, text
        for character in tried:
            following = _step_all(state, character, sets, required)
            if following and following not in reached:
                reached.add(following)
                waiting.append((following, text + character))


def _list_characters(
    state: tuple[int, ...], sets: Sequence[PatternSet], required: int, alphabet: Alphabet
) -> str:
    """Return the characters that can matter next."""
    for positions, each in zip(state[:required], sets, strict=False):
        if not each.is_open(positions):
            return each.list_characters(positions) or NO_CHARACTER
    listed = [each.list_characters(at) for at, each in zip(state, sets, strict=True) if at]
    return alphabet.choose(frozenset("".join(listed)))


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
        BudgetExceededError: The search did too much work.
    """
    found: dict[tuple[bool, ...], str] = {}
    for (first, *rest), text in _explore((shape, *sets), 1, budget):
        if shape.is_accepted(first):
            accepted = zip(rest, sets, strict=True)
            found.setdefault(tuple(each.is_accepted(at) for at, each in accepted), text)
            if len(found) == 2 ** len(sets):
                break
    return list(found.values())
