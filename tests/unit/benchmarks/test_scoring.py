"""How answers are scored in the comparison with other tools."""

from hypothesis import given
from hypothesis import strategies as st

from benchmark_modules import benchmark

scoring = benchmark("peers/scoring.py")
SETUP = frozenset({"vpce-1", "sg-1"})


def test_each_outcome_has_its_name() -> None:
    """Bad called bad is TP, bad left alone FN, good called bad FP, good left alone TN."""
    named = {
        (bad, said): scoring.outcome(bad=bad, called_bad=said)
        for bad in (True, False)
        for said in (True, False)
    }

    assert named == {
        (True, True): "TP",
        (True, False): "FN",
        (False, True): "FP",
        (False, False): "TN",
    }


@given(st.booleans())
def test_no_answer_is_neither_right_nor_wrong(bad: bool) -> None:
    """Whoever says nothing is not counted among the right ones by luck."""
    found = scoring.outcome(bad=bad, called_bad=None)

    assert found == "none"
    assert scoring.right([found]) == 0


def test_a_setup_is_called_bad_by_any_of_its_resources() -> None:
    """One tool judges the endpoint where another one judges its security group."""
    assert scoring.called(SETUP, bad={"sg-1"})
    assert scoring.called(SETUP, bad={"vpce-2"}) is False


def test_undecided_and_silent_are_no_answer() -> None:
    """A tool that cannot tell, or whose check broke off, has not called it good."""
    assert scoring.called(SETUP, bad=set(), undecided={"vpce-1"}) is None
    assert scoring.called(SETUP, bad={"sg-1"}, silent=True) is None


def test_counts_leave_out_what_did_not_happen() -> None:
    """A row of the table names the outcomes there are, right ones first."""
    assert scoring.counted(["FN", "TP", "TP", "none"]) == "TP 2 FN 1 none 1"
