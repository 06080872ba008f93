"""Text that fits: as wide as it may be at the most, whole where it can be."""

from hypothesis import given
from hypothesis import strategies as st

from posture_cli.report.labels import fit_lines, fit_list, measure_width, shorten

NAMES = st.lists(st.text(min_size=1, max_size=60), max_size=9)


@given(st.text(), st.integers(3, 40))
def test_shortened_text_fits_and_whole_text_stays(text: str, width: int) -> None:
    """What fits is not touched; what does not loses its middle alone."""
    found = shorten(text, width)
    assert measure_width(found) <= width
    if measure_width(text) <= width:
        assert found == text
    else:
        cuts = [at for at, message in enumerate(found) if message == "…"]
        assert any(text.startswith(found[:at]) and text.endswith(found[at + 1 :]) for at in cuts)


def test_an_accent_takes_no_width_and_a_wide_character_two() -> None:
    """A name may be written with combining characters."""
    widths = {each: measure_width(each) for each in ("e", "e\u0301", "\u00e9", "網")}
    assert widths == {"e": 1, "e\u0301": 1, "\u00e9": 1, "網": 2}
    assert shorten("cafe\u0301", 4) == "cafe\u0301"


def test_a_name_without_its_middle() -> None:
    """Both ends are as long as the width allows."""
    assert shorten("payments-private-a", 9) == "paym…te-a"
    assert shorten("網路網路網路", 7) == "網路…路"


@given(NAMES, st.integers(12, 60), st.integers(2, 5))
def test_every_name_has_a_line_or_is_counted(names: list[str], width: int, most: int) -> None:
    """Never more lines than there is room for, never a name lost in silence."""
    found = fit_lines(names, width, most)
    assert len(found) == min(len(names), most)
    assert all(measure_width(line) <= width for line in found)
    if len(names) > most:
        assert found[-1] == f"and {len(names) - most + 1} more"


@given(NAMES, st.integers(20, 60))
def test_a_list_fits_its_line(names: list[str], width: int) -> None:
    """It names as many as it can and counts the rest."""
    assert measure_width(fit_list(names, width)) <= width


def test_a_list_that_is_too_long_counts_the_rest() -> None:
    """And one that fits does not."""
    zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert fit_list(zones, 34) == "eu-west-1a, eu-west-1b, eu-west-1c"
    assert fit_list(zones, 33) == "eu-west-1a, eu-west-1b and 1 more"
    assert fit_list(zones, 20) == "eu-w…t-1a and 2 more"
    assert fit_list([], 20) == ""
