"""What `posture replay` says of calls that the monitor leaves out."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from change_records import build_record
from posture.changes.event_groups import EventGroup
from posture.changes.event_names import IGNORED, IGNORED_ELSEWHERE
from posture.changes.shared_events import NOT_SURVEYED, SURVEYED
from posture_cli.app import app


@pytest.mark.parametrize(
    "group", [*IGNORED, *NOT_SURVEYED, *IGNORED_ELSEWHERE], ids=lambda it: it.reason[:40]
)
def test_a_call_that_is_left_out_has_the_catalogues_own_reason(
    group: EventGroup, tmp_path: Path
) -> None:
    """With its service, because another one may have a call of the same name."""
    rows = replay(group, tmp_path)
    assert {row["outcome"] for row in rows} == {"ignored"}
    assert {row["reason"] for row in rows} == {group.reason}


@pytest.mark.parametrize("group", SURVEYED, ids=lambda it: it.reason[:40])
def test_a_call_on_the_shared_network_leads_to_a_survey(group: EventGroup, tmp_path: Path) -> None:
    """Of the facts that it may have changed, if surveys are switched on."""
    rows = replay(group, tmp_path)
    kinds = sorted(group.survey.kinds)
    assert {row["outcome"] for row in rows} == {"surveyed"}
    assert {row["looks_at"] for row in rows} == {f"the shared network: {', '.join(kinds)}"}
    assert {"SharedNetwork" in row["reason"] for row in rows} == {True}


def replay(group: EventGroup, folder: Path) -> list[dict[str, Any]]:
    """Replay a record of each call of a group; return what the command wrote."""
    records = [build_record(name, {}, eventSource=group.source) for name in group.names]
    file = folder / "records.json"
    file.write_text(json.dumps({"Records": records}), encoding="utf-8")
    result = CliRunner().invoke(app, ["replay", str(file), "--output", "json"])
    assert result.exit_code == 0
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows
