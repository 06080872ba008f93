"""How answers are scored in the comparison with other tools."""

from hypothesis import given
from hypothesis import strategies as st

from benchmark_modules import load_benchmark

scoring = load_benchmark("peers/scoring.py")
RESOURCES = frozenset({"vpce-1", "sg-1"})


def test_each_outcome_has_its_name() -> None:
    """Bad and reported is TP, bad and not FN, good and reported FP, good and not TN."""
    named = {
        (bad, called): scoring.score(bad=bad, called_bad=called)
        for bad in (True, False)
        for called in (True, False)
    }

    assert named == {
        (True, True): "TP",
        (True, False): "FN",
        (False, True): "FP",
        (False, False): "TN",
    }


@given(st.booleans())
def test_no_answer_is_neither_correct_nor_wrong(bad: bool) -> None:
    """A tool without an answer is not counted as correct by chance."""
    outcome = scoring.score(bad=bad, called_bad=None)

    assert outcome == "none"
    assert scoring.count_correct([outcome]) == 0


def test_a_case_is_called_bad_by_any_of_its_resources() -> None:
    """One tool reports the endpoint where another reports its security group."""
    assert scoring.is_called_bad(RESOURCES, bad={"sg-1"})
    assert scoring.is_called_bad(RESOURCES, bad={"vpce-2"}) is False


def test_undecided_and_silent_are_no_answer() -> None:
    """A tool that cannot decide, or whose check broke off, has not called it good."""
    assert scoring.is_called_bad(RESOURCES, bad=set(), undecided={"vpce-1"}) is None
    assert scoring.is_called_bad(RESOURCES, bad={"sg-1"}, silent=True) is None


def test_counts_omit_outcomes_that_do_not_occur() -> None:
    """A row of the table names the outcomes that occur, correct ones first."""
    assert scoring.format_counts(["FN", "TP", "TP", "none"]) == "TP 2 FN 1 none 1"
