"""Run the handler in the working directory as Lambda does; other benchmarks start this process.

It imports only what a function has. Events come as JSON lines on standard input. With a recording
as argument, it handles the recorded event, and AWS's answers are those recorded. After each event
it prints `MEASURED` and JSON: seconds of wall and CPU, of the import and of the event, in total,
the peak memory in MB, the error, and what the handler returned. Exits with 1 if the last event
failed.
"""

import json
import pickle
import sys
import time
from collections import defaultdict, deque
from io import BytesIO
from typing import Any

sys.path.insert(0, "")

from botocore.awsrequest import AWSResponse
from botocore.handlers import BUILTIN_HANDLERS
from urllib3 import HTTPResponse


class MeasuredContext:
    """The context object of an invocation with 15 minutes."""

    function_name = "measured"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:measured"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self) -> None:
        self._end = time.monotonic() + 900

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return int((self._end - time.monotonic()) * 1000)


def read_peak() -> float:
    """Read the peak memory in MB; `ru_maxrss` would be that of the parent as well."""
    with open("/proc/self/status") as status:  # noqa: PTH123 - as below
        (line,) = (each for each in status if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def build_key(operation: str, body: str) -> tuple[str, str]:
    """Return the key of an answer: EC2's depend on the request, others come in sequence."""
    return operation, body if operation.startswith("ec2") else ""


def replay(request: Any, event_name: str, **_: Any) -> AWSResponse:
    """Answer a request from the recording."""
    body = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
    status, answer = answers[build_key(":".join(event_name.split(".")[1:3]), body)].popleft()
    raw = HTTPResponse(BytesIO(answer), preload_content=False)
    return AWSResponse(request.url, status, {}, raw)  # type: ignore[arg-type]


def load_recording(path: str) -> Any:
    """Load the answers; return the event."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib may not have been imported yet
        event, recorded = pickle.load(file)  # noqa: S301 - written by `start.py`
    for operation, request, status, answer in recorded:
        answers[build_key(operation, request)].append((status, answer))
    return event


answers: dict[tuple[str, str], deque[tuple[int, bytes]]] = defaultdict(deque)
if sys.argv[1:]:
    BUILTIN_HANDLERS.append(("before-send", replay))  # of every session created from now on

started = time.perf_counter()
import app  # type: ignore[import-not-found]  # noqa: E402

imported = {"import_wall": time.perf_counter() - started, "import_cpu": time.process_time()}
events = [load_recording(sys.argv[1])] if sys.argv[1:] else map(json.loads, sys.stdin)
error = ""
for event in events:
    wall, cpu, error, result = time.perf_counter(), time.process_time(), "", None
    try:
        result = app.handler(event, MeasuredContext())
    except Exception as failure:  # noqa: BLE001 - reported with the measurement
        error = f"{type(failure).__name__}: {failure}"[:300]
    measured = imported | {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "total_cpu": time.process_time(),
        "peak": read_peak(),
        "error": error,
        "result": result,
    }
    print("MEASURED", json.dumps(measured), flush=True)
sys.exit(bool(error))
