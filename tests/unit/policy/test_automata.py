"""Pattern sets, compared with regular expressions and with brute force."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture.policy.automata import (
    Pattern,
    compile_patterns,
    find_distinct_texts,
    find_shortest_text,
)
from posture.policy.search_budget import BudgetExceededError, SearchBudget
from posture.policy.template import (
    compile_arn,
    compile_glob,
    compile_resource,
    parse_resource,
    parse_template,
)

PATTERNS = st.text(alphabet="ab*?", min_size=0, max_size=5)
TEXTS = ["".join(each) for size in range(6) for each in itertools.product("abx", repeat=size)]


def pattern(text: str) -> Pattern:
    """Return the tokens of a glob."""
    return compile_glob(parse_template(text))


def matches(glob_text: str, text: str) -> bool:
    """Match with a regular expression."""
    parts = (re.escape(part) for part in glob_text)
    regex = "".join({r"\*": ".*", r"\?": "."}.get(part, part) for part in parts)
    return re.fullmatch(regex, text, re.DOTALL) is not None


@given(st.lists(PATTERNS, min_size=1, max_size=3))
def test_a_pattern_set_accepts_what_any_of_its_patterns_matches(globs: list[str]) -> None:
    """For every short text."""
    automaton = compile_patterns(*map(pattern, globs))
    for text in TEXTS:
        assert automaton.accepts(text) == any(matches(each, text) for each in globs)


@given(
    st.lists(st.lists(PATTERNS, min_size=1, max_size=2), min_size=1, max_size=2),
    st.lists(st.lists(PATTERNS, min_size=1, max_size=2), max_size=2),
)
def test_a_text_is_found_if_and_only_if_one_exists(
    meeting: list[list[str]], avoiding: list[list[str]]
) -> None:
    """None is found where brute force finds none."""

    def fits(text: str) -> bool:
        return all(any(matches(each, text) for each in globs) for globs in meeting) and not any(
            matches(each, text) for globs in avoiding for each in globs
        )

    found = find_shortest_text(
        [compile_patterns(*map(pattern, globs)) for globs in meeting],
        [compile_patterns(*map(pattern, globs)) for globs in avoiding],
        SearchBudget(10_000),
    )
    fitting = [text for text in TEXTS if fits(text)]
    if found is None:
        assert fitting == []
    else:
        assert fits(found)


def test_wildcards_stay_within_the_fields_of_an_arn() -> None:
    """Only the sixth field may contain colons."""
    automaton = compile_patterns(compile_arn(parse_template("arn:aws:sqs:*:1*:q*")))
    assert automaton.accepts("arn:aws:sqs:eu-west-1:123:queue:and:more")
    assert not automaton.accepts("arn:aws:sqs:eu:west:1:queue")


def test_a_wildcard_spans_fields_only_at_the_end_of_its_own() -> None:
    """Another one in the same pattern stays in its field."""
    automaton = compile_patterns(*compile_resource(parse_resource("arn:aws:*:q*s")))
    assert automaton.accepts("arn:aws:sqs:eu-west-1:1:queues")
    assert not automaton.accepts("arn:aws:sqs:eu-west-1:1:q:s")


def test_one_text_is_found_for_every_combination_of_patterns() -> None:
    """Of two patterns there are four combinations."""
    found = find_distinct_texts(
        compile_patterns(pattern("???")),
        [compile_patterns(pattern("a*")), compile_patterns(pattern("*b"))],
        SearchBudget(1000),
    )
    assert {(text[0] == "a", text[-1] == "b") for text in found} == {
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    }


def test_a_search_stops_when_its_budget_is_spent() -> None:
    """It raises an error instead of an answer."""
    with pytest.raises(BudgetExceededError):
        find_shortest_text(
            [compile_patterns(pattern("?" * 40))],
            [compile_patterns(pattern("*a*b*a*b*"))],
            SearchBudget(5),
        )
