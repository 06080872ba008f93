"""A function's first event in a process of its own; `start.py` runs this as Lambda runs a function.

Nothing but what a function has can be imported here. Prints the CPU milliseconds since the start of
the process, after the import and after the event; `python replay.py TAPE`.
"""

from __future__ import annotations

import pickle
import sys
import time
from collections import defaultdict, deque
from typing import Any

sys.path.insert(0, "")  # the function's own folder

from botocore.awsrequest import AWSResponse
from botocore.handlers import BUILTIN_HANDLERS


class Context:
    """What Lambda tells of an invocation."""

    function_name = "measured"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:measured"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Give a minute."""
        return 60_000


class Body:
    """The body of an answer."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Any:
        """Give it whole."""
        yield self._body


def answer(request: Any, event_name: str, **_: Any) -> AWSResponse:
    """Answer as on the tape: EC2 by what is asked, the others one after the other."""
    operation = ":".join(event_name.split(".")[1:3])
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
    answers = tape[operation, body if operation.startswith("ec2") else ""]
    status, told = answers.popleft()
    return AWSResponse(request.url, status, {}, Body(told))  # type: ignore[arg-type]


tape: dict[tuple[str, str], deque[tuple[int, bytes]]] = defaultdict(deque)
BUILTIN_HANDLERS.append(("before-send", answer))  # of every session that is made from now on

import app  # type: ignore[import-not-found]  # noqa: E402

imported = time.process_time()
with open(sys.argv[1], "rb") as file:  # noqa: PTH123 - pathlib may not have been imported yet
    event, recorded = pickle.load(file)  # noqa: S301 - our own
for operation, asked, status, told in recorded:
    tape[operation, asked if operation.startswith("ec2") else ""].append((status, told))
ready = time.process_time()
app.handler(event, Context())
print(imported * 1000, (imported + time.process_time() - ready) * 1000)
