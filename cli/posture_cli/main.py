"""The entry point of the `posture` command."""

import atexit
import gc
import sys

from posture_cli import exit_codes
from posture_cli.app import app
from posture_cli.failure import describe_failure

# A command ends soon and keeps most of what it reads. With Python's own thresholds the collector
# takes a sixth of the time of a scan, and finds little.
GARBAGE_THRESHOLDS = (50_000, 20, 50)


def run() -> None:
    """Run the command; print an expected error as one sentence instead of a traceback."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    # Searching all that a command read for cycles, when it ends, takes a tenth of a scan.
    atexit.register(gc.freeze)
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
