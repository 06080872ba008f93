"""How the `posture` command starts, and how a mistake ends."""

from __future__ import annotations

import sys

from posture_cli import exit_codes as exits
from posture_cli.app import app
from posture_cli.failure import sentence


def run() -> None:
    """Run the command; what it cannot do is a sentence on standard error, never a traceback."""
    answers = sys.stdout
    try:
        app()
    except SystemExit:
        # Where nobody reads any more, typer swaps the stream and ends with 1, which means findings.
        if sys.stdout is not answers:
            sys.exit(exits.UNREAD)
        raise
    except Exception as error:
        text = sentence(error)
        if text is None:
            raise  # a mistake of ours, to be reported with its traceback
        sys.stderr.write(f"posture: {text}\n")
        sys.exit(exits.MISTAKE)
