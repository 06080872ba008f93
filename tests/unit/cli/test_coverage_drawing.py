"""The matrix on a terminal: as many columns side by side as fit, in colour where there is any."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from finding_builders import NOON, SCOPE
from posture_cli.audit.open_tables import VpcMatrix
from posture_cli.render import coverage
from posture_cli.render.coverage import LEGEND, draw_matrices

SERVICES = [{"short": f"service{number}"} for number in range(12)]


def matrix(outcome: str = "internet", subnets: int = 1) -> VpcMatrix:
    """Return a matrix in which everything fares alike."""
    ids = [f"subnet-{number}" for number in range(subnets)]
    record: dict[str, Any] = {
        "services": SERVICES,
        "subnets": [{"id": each, "name": "", "zone": "eu-west-1a"} for each in ids],
        "answers": [{"outcome": outcome, "summary": "all by nat-1"}],
        "cells": {each: [0] * len(SERVICES) for each in ids},
    }
    return VpcMatrix(SCOPE, NOON, record)


def drawn(
    monkeypatch: pytest.MonkeyPatch, given: VpcMatrix, width: int = 80, *, colour: bool = False
) -> str:
    """Draw on a terminal of this width."""
    paper = StringIO()
    console = Console(
        file=paper, width=width, force_terminal=colour, color_system="standard" if colour else None
    )
    monkeypatch.setattr(coverage, "open_stdout", lambda: console)
    draw_matrices([given])
    return paper.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120, 400])
def test_no_line_is_cut_and_no_service_is_lost(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Columns that do not fit come below."""
    text = drawn(monkeypatch, matrix(), width)
    for service in SERVICES:
        assert service["short"] in text
    assert "…" not in text


@pytest.mark.parametrize("outcome", sorted(LEGEND))
def test_every_outcome_has_a_colour_and_a_meaning(
    monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """The legend explains the outcomes that occur, and no others."""
    text = drawn(monkeypatch, matrix(outcome), 200, colour=True)
    assert "\x1b[" in text
    assert LEGEND[outcome][1] in text
    others = [meaning for other, (_, meaning) in LEGEND.items() if other != outcome]
    assert not [meaning for meaning in others if f"{meaning} (" in text]


def test_one_reason_for_many_subnets_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first few are named, the others counted."""
    text = drawn(monkeypatch, matrix(subnets=14), 400)
    assert text.count("service0 from subnet-0, subnet-1, subnet-2, subnet-3 and 10 more") == 1
    text = drawn(monkeypatch, matrix(subnets=4), 400)
    assert text.count("service0 from subnet-0, subnet-1, subnet-2, subnet-3: internet") == 1


def test_what_is_private_needs_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the rest is explained."""
    assert " from " not in drawn(monkeypatch, matrix("endpoint"), 200)
