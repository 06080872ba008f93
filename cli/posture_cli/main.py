"""The entry point of the `posture` command."""

import sys

from posture_cli import exit_codes
from posture_cli.app import app
from posture_cli.failure import describe_failure


def run() -> None:
    """Run the command; print an expected error as one sentence instead of a traceback."""
    stdout = sys.stdout
    try:
        app()
    except SystemExit:
        # On a closed pipe typer replaces the stream and exits with 1, which would mean findings.
        if sys.stdout is not stdout:
            sys.exit(exit_codes.BROKEN_PIPE)
        raise
    except Exception as error:
        text = describe_failure(error)
        if text is None:
            raise  # a bug, which needs its traceback
        sys.stderr.write(f"posture: {text}\n")
        sys.exit(exit_codes.ERROR)
