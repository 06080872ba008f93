"""Run the project's commands in processes of their own, without an AWS account."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stack_template import PATH

ROOT = PATH.parent
TOOLS = Path(sys.executable).parent


def build_environment() -> dict[str, str]:
    """Return the environment variables of a user without an AWS account."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return own | {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.1",  # its 5 seconds are for CloudFormation, not for an emulator
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def run_beside(command: list[str], shell: Mapping[str, str], **streams: Any) -> Iterator[Any]:
    """Run a command until the block ends."""
    with subprocess.Popen(command, env=shell, cwd=ROOT, text=True, **streams) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def find_free_port() -> int:
    """Return a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
