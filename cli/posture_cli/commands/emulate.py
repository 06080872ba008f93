"""`posture emulate`: serves an emulated AWS with the stack and a small organization."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, open_stdout, print_note
from posture_cli.options import option
from posture_cli.project_files import require_demo

if TYPE_CHECKING:
    from posture_cli.embedded.aws import EmbeddedAws

# boto3 and the AWS CLI send no request without keys; the emulated AWS accepts any.
DUMMY_KEYS = "AWS_ACCESS_KEY_ID=emulated AWS_SECRET_ACCESS_KEY=emulated"
POLL = 0.5  # seconds between two reads of the mailbox

app = CommandGroup()


@app.add(
    "posture emulate",
    "posture emulate --host 0.0.0.0 --port 4566",
    "posture emulate --shared-network",
)
def emulate(
    *,
    host: Annotated[
        str, option("ADDRESS", "The address to listen on; 0.0.0.0 also serves containers.")
    ] = "127.0.0.1",
    port: Annotated[
        int, option("NUMBER", "The port; 0 takes a free one.", min=0, max=65535)
    ] = 4566,
    shared_network: Annotated[
        bool,
        typer.Option(
            "--shared-network",
            help="Deploy the stack with SharedNetwork=on, and build a hub with two spokes as well: "
            "for the events of the functions survey and refresh.",
        ),
    ] = False,
) -> None:
    """Serve an emulated AWS that holds the stack, for `sam local invoke` and boto3.

    It has the tables, topic and queues of template.yaml, by the names in env.json, and the
    organization of the demo, to which the sample events in events/ refer: some changes are already
    evaluated, others are not. Alerts that are published to the topic are printed.

    It runs until you interrupt it, and keeps nothing.
    """
    project = require_demo()
    os.environ["POWERTOOLS_LOG_LEVEL"] = "ERROR"  # hides the log of the Lambda functions
    with open_stderr().status("creating the stack of template.yaml and three VPCs"):
        # moto may be missing, and takes seconds to import
        from posture_cli.demo.sample_environment import SampleEnvironment  # noqa: PLC0415
        from posture_cli.embedded.aws import EmbeddedAws  # noqa: PLC0415
        from posture_cli.embedded.server import serve  # noqa: PLC0415

        parameters = {"SharedNetwork": "on"} if shared_network else {}
        aws = EmbeddedAws(project, parameters=parameters)
    with aws, serve(host, port) as url:
        SampleEnvironment(aws).build()
        print_note(f"serving account {aws.account}, region {aws.region}")
        print_note("to use it from another terminal, run there:")
        typer.echo(f"export AWS_ENDPOINT_URL={url} AWS_REGION={aws.region} {DUMMY_KEYS}")
        _print_alerts(aws)


def _print_alerts(aws: EmbeddedAws) -> None:
    print_note("alerts are printed as they arrive; press Ctrl-C to stop")
    try:
        while True:
            for alert in aws.mailbox.collect():
                open_stdout().rule()
                open_stdout().print(alert.subject)
                open_stdout().print(alert.text)
            time.sleep(POLL)
    except KeyboardInterrupt:
        print_note("stopped; nothing was kept")
