"""`posture schema`: prints the JSON Schema of what the monitor sends."""

import sys
from enum import StrEnum
from importlib.resources import files
from typing import Annotated

import typer

import posture.alerts
from posture_cli.command import CommandGroup

app = CommandGroup()


class SchemaName(StrEnum):
    """What has a schema."""

    ALERT = "alert"  # the JSON of an alert or digest
    FINDING_EVENT = "finding-event"


@app.add(
    "posture schema alert > alert.schema.json",
    "posture schema finding-event",
)
def schema(
    name: Annotated[SchemaName, typer.Argument(help="The document that the schema describes.")],
) -> None:
    """Print the JSON Schema of alerts, or of the events on the bus of findings.

    It describes each field, and is of the draft 2020-12. The version is in the field "schema" of
    each alert and event: fields may be added without a new version, so allow for more.
    """
    sys.stdout.write(
        files(posture.alerts).joinpath(f"schemas/{name}.json").read_text(encoding="utf-8")
    )
