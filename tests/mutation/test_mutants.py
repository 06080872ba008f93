"""The list of `make mutants` belongs to the code; the faults themselves are not tried here."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "layers" / "posture" / "python" / "posture"
MUTANTS = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text("utf-8"))["mutant"]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each["fault"])
def test_a_mutant_can_be_planted(mutant: dict[str, Any]) -> None:
    """Its text occurs once, and its tests exist; what moves the code moves `old` with it."""
    text = (PACKAGE / mutant["file"]).read_text("utf-8")
    assert text.count(mutant["old"]) == 1
    assert text.replace(mutant["old"], mutant["new"]) != text
    assert all((ROOT / each.partition("::")[0]).exists() for each in mutant["tests"])
