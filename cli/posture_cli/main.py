"""How the `posture` command starts, and how a mistake ends."""

from __future__ import annotations

import os
import sys

from posture_cli import exits
from posture_cli.app import app
from posture_cli.failure import sentence


def run() -> None:
    """Run the command; what it cannot do is a sentence on standard error, never a traceback."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our answer has enough of it, as `head` has; Python must not complain either
        # when it flushes what is left. https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exits.CLEAN)
    except Exception as error:
        text = sentence(error)
        if text is None:
            raise  # a mistake of ours, to be reported with its traceback
        sys.stderr.write(f"posture: {text}\n")
        sys.exit(exits.MISTAKE)
