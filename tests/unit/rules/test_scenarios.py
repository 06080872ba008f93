"""Every scenario on the page names an existing test."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/scenarios.md").read_text()
NAMED = re.findall(r"\| `(test_\w+)` \|", PAGE)
DEFINED = {
    name
    for file in (ROOT / "tests/unit").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
}


def test_every_scenario_names_one_test() -> None:
    """A row without a test would be a claim."""
    rows = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == len(NAMED) >= 20
    assert [int(row.split("|")[1]) for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("name", NAMED)
def test_the_test_is_there(name: str) -> None:
    """Under that very name."""
    assert name in DEFINED
