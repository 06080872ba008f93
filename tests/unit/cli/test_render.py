"""Records are written so that people, pipes and spreadsheets can take them."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from posture_cli.options import RECORDS, Output
from posture_cli.render.findings import choose_screen_columns
from posture_cli.render.records import write_records
from posture_cli.render.tables import build_table
from posture_cli.text import make_lines_printable, make_printable

FULL_WIDTH = "\N{FULLWIDTH EQUALS SIGN}1+1"
COLUMNS = ("severity", "resource", "summary")
HOSTILE = "\x1b[31mred\x1b[0m\n\u202e[bold]markup[/bold]\x07"


def record(summary: str) -> dict[str, object]:
    """Return a record."""
    return {"severity": "high", "resource": "vpce-1", "summary": summary, "evidence": [{"a": 1}]}


def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON holds the whole records, not the columns of the table."""
    write_records([record("one")], COLUMNS, Output.JSON)
    assert json.loads(capsys.readouterr().out) == [record("one")]


def test_nothing_is_an_empty_array(capsys: pytest.CaptureFixture[str]) -> None:
    """No record is an empty JSON array, and a header alone in a table."""
    write_records([], COLUMNS, Output.JSON)
    assert json.loads(capsys.readouterr().out) == []
    write_records([], COLUMNS, Output.TABLE)
    assert capsys.readouterr().out.split() == ["SEVERITY", "RESOURCE", "SUMMARY"]


def test_pipe_gets_a_line_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    """Output to a pipe is not wrapped, truncated or coloured."""
    write_records([record("long " * 200), record("short")], COLUMNS, Output.TABLE)
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.startswith("SEVERITY")
    assert first.endswith(("long " * 200).strip())
    assert second.split() == ["high", "vpce-1", "short"]
    assert "\x1b" not in first


def test_csv_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    """CSV keeps commas, quotes and nested values in their cells."""
    write_records([record('a, "b"')], (*COLUMNS, "evidence"), Output.CSV)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["summary"] == 'a, "b"'
    assert json.loads(row["evidence"]) == [{"a": 1}]


def test_csv_has_text_where_json_has_objects(capsys: pytest.CaptureFixture[str]) -> None:
    """Sentences, lists with commas, and members of an object as columns of their own."""
    nested = {
        "evidence": [{"text": "one", "record": {"a": 1}}, {"text": "=two", "record": {}}],
        "remediation": {"text": "Do it", "command": "aws ec2 x", "verified": "resolves this"},
        "opened_by": {"text": "alice", "cause": {"event_name": "CreateRoute"}, "candidates": []},
        "resolved_by": None,
        "controls": ["SOC 2 CC6.7", "PCI DSS 4.0.1 1.3.2"],
    }
    columns = (*nested, "command", "verified", "opened_event", "resolved_event")
    write_records([nested], columns, Output.CSV)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row == {
        "evidence": "one; =two",
        "remediation": "Do it",
        "opened_by": "alice",
        "resolved_by": "",
        "controls": "SOC 2 CC6.7, PCI DSS 4.0.1 1.3.2",
        "command": "aws ec2 x",
        "verified": "resolves this",
        "opened_event": "CreateRoute",
        "resolved_event": "",
    }


def test_csv_holds_no_cell_that_is_too_long(capsys: pytest.CaptureFixture[str]) -> None:
    """A spreadsheet would go on in the next row."""
    write_records([record("x" * 40_000)], COLUMNS, Output.CSV)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert len(row["summary"]) == 32_767
    assert row["summary"].endswith("x … (cut; JSON has all of it)")


@pytest.mark.parametrize(
    "formula", ["=1+1", "+cmd", "-2", "@SUM(A1)", FULL_WIDTH, " =1+1", "\N{SMALL PLUS SIGN}1"]
)
def test_csv_holds_no_formula(formula: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell that a spreadsheet would execute is marked as text."""
    write_records([record(formula)], COLUMNS, Output.CSV)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["summary"] == f"'{formula}"


@pytest.mark.parametrize("output", RECORDS)
def test_hostile_text_does_nothing(output: Output, capsys: pytest.CaptureFixture[str]) -> None:
    """No output format contains control characters."""
    write_records([record(HOSTILE)], COLUMNS, output)
    written = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\u202e"} & set(written)


def test_markup_is_text() -> None:
    """Rich's markup in a value is shown as it stands."""
    file = io.StringIO()
    Console(file=file, width=200).print(
        build_table([record("[bold]x[/bold] [/nonsense]")], COLUMNS)
    )
    assert "[bold]x[/bold] [/nonsense]" in file.getvalue()


FINDING = {
    "severity": "high",
    "rule": "gateway-service-bypasses-endpoint",
    "resource": "subnet-0aaaaaaaaaaaaaaa6",
    "actor": "arn:aws:sts::111122223333:assumed-role/NetworkAdmin/alice",
    "summary": "subnet-0aaaaaaaaaaaaaaa6 sends all of s3 out by internet gateway",
}


@pytest.mark.parametrize("width", [200, 150, 100, 80, 60, 40])
def test_a_terminal_breaks_no_id_and_names_every_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    """What has no room beside the others stands below, with its heading; ids stay whole."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    write_records([FINDING, FINDING | {"actor": ""}], tuple(FINDING), Output.TABLE)
    text = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    for column in FINDING:
        assert column.upper() in text
    assert max(map(len, text.splitlines())) <= width
    assert text.split()[0] == "SEVERITY"
    for name in ("rule", "resource"):
        assert text.count(f" {FINDING[name]}") >= 2


@given(st.text())
def test_printable_is_one_harmless_line(text: str) -> None:
    """Any text becomes one line without control characters."""
    shown = make_printable(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown


def test_printable_keeps_what_is_readable() -> None:
    """Letters of every script stay as they are."""
    assert make_printable("Zürich 東京") == "Zürich 東京"


def test_lines_keeps_line_breaks() -> None:
    """A text of several lines stays one."""
    assert make_lines_printable("a\nb\x1b") == "a\nb\\x1b"


def test_a_screen_has_no_column_for_what_is_the_same_everywhere() -> None:
    """The resource has no column, as the summary names it; a column whose values differ stays."""
    one = {"vpc": "vpc-1", "account": "111122223333", "region": "eu-west-1"}
    other = {"vpc": "vpc-2", "account": "111122223333", "region": "eu-west-1"}
    abroad = {**other, "account": "444455556666", "region": "eu-central-1"}
    assert choose_screen_columns([one, one]) == ("severity", "status", "rule", "summary")
    assert choose_screen_columns([one, other]) == ("severity", "status", "rule", "vpc", "summary")
    assert choose_screen_columns([one, abroad])[-3:] == ("account", "region", "summary")
