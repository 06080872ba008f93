"""What `posture replay` says of calls that the monitor leaves out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from change_records import build_record
from posture.changes.event_names import IGNORED, IGNORED_ELSEWHERE, EventGroup
from posture_cli.app import app


@pytest.mark.parametrize("group", [*IGNORED, *IGNORED_ELSEWHERE], ids=lambda it: it.reason[:40])
def test_a_call_that_is_left_out_has_the_catalogues_own_reason(
    group: EventGroup, tmp_path: Path
) -> None:
    """With its service, because another one may have a call of the same name."""
    records = [build_record(name, {}, eventSource=group.source) for name in group.names]
    file = tmp_path / "records.json"
    file.write_text(json.dumps({"Records": records}), encoding="utf-8")
    result = CliRunner().invoke(app, ["replay", str(file), "--output", "json"])
    rows = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {row["outcome"] for row in rows} == {"ignored"}
    assert {row["reason"] for row in rows} == {group.reason}
