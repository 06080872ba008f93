"""`posture emulate`: an AWS on a port of this machine, with the stack and a small organisation."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from posture_cli.commands.demo import ROOT, require_clone
from posture_cli.console import open_stderr, open_stdout
from posture_cli.options import examples

if TYPE_CHECKING:
    from posture_cli.embedded.aws import EmbeddedAws

EXAMPLES = examples(
    "posture emulate",
    "posture emulate --host 0.0.0.0 --port 4566",
    "AWS_ENDPOINT_URL=http://127.0.0.1:4566 posture findings",
)
LOOK = 0.5  # seconds between two looks into the mailbox


def emulate(
    *,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="The address to listen at; 0.0.0.0 lets containers in."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="NUMBER", help="The port; 0 takes a free one.")
    ] = 4566,
) -> None:
    """Serve an emulated AWS with the stack in it, for `sam local invoke` and boto3.

    Its tables, topic and queues are made from template.yaml and named in env.json. In it is the
    demo's organisation, of which the sample events in events/ tell: some changes were found before,
    others nobody has looked at yet. Alerts that are published there are shown here.

    Serves until it is interrupted, and keeps nothing.
    """
    require_clone()
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"  # what the functions log is of no interest here
    with open_stderr().status(
        "making the stack of template.yaml and an organisation of three VPCs"
    ):
        # Only who emulates pays for importing moto.
        from posture_cli.demo.sample_environment import SampleEnvironment  # noqa: PLC0415
        from posture_cli.embedded.aws import EmbeddedAws  # noqa: PLC0415
        from posture_cli.embedded.server import serve  # noqa: PLC0415

        aws = EmbeddedAws(ROOT)
    with aws, serve(host, port) as url:
        SampleEnvironment(aws).build()
        open_stderr().print(f"serving account {aws.account}, region {aws.region}")
        open_stdout().print(f"export AWS_ENDPOINT_URL={url} AWS_REGION={aws.region}")
        _tell(aws)


def _tell(aws: EmbeddedAws) -> None:
    open_stderr().print("alerts are shown here as they come; Ctrl-C ends it")
    try:
        while True:
            for alert in aws.mailbox.collect():
                open_stdout().rule()
                open_stdout().print(alert.subject)
                open_stdout().print(alert.text)
            time.sleep(LOOK)
    except KeyboardInterrupt:
        open_stderr().print("ended; nothing is kept")
