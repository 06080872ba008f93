"""Measure a region's sweep by the deployed handler, with the memory and CPU of a Lambda function.

Another process serves the region, so only the sweeping process is measured. It runs in a kernel
control group with this much memory and Lambda's share of a vCPU.

Needs root and the controllers `memory` and `cpu` (cgroup v1); without them the process runs without
limits, and `limited` is false. Imports only what the function has.

Run: `.venv/bin/python benchmarks/sized_sweep.py N [MB] [SWEEPS]`; prints one JSON object per sweep.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from lambda_environment import FULL_VCPU_MB, PROCESS, build_environment, read_measurement
from shared_paths import ROOT
from synthetic_aws import count_calls
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server

PERIOD = 100_000  # microseconds
GROUPS = Path("/sys/fs/cgroup")


@contextmanager
def control_groups(size: int) -> Iterator[list[Path]]:
    """Create control groups of this many MB and Lambda's share of a vCPU; none where denied."""
    folders = [GROUPS / kind / f"posture-{os.getpid()}" for kind in ("memory", "cpu")]
    try:
        for folder in folders:
            folder.mkdir()
        (folders[0] / "memory.limit_in_bytes").write_text(str(size * 2**20))
        (folders[1] / "cpu.cfs_period_us").write_text(str(PERIOD))
        (folders[1] / "cpu.cfs_quota_us").write_text(str(int(PERIOD * size / FULL_VCPU_MB)))
    except OSError:
        yield []
    else:
        yield folders
    finally:
        for folder in folders:
            with suppress(OSError):
                folder.rmdir()


def run_sweeps(url: str, groups: list[Path], number: int) -> Iterator[dict[str, Any]]:
    """Sweep this many times in one process within the groups; yield each measurement."""
    join = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in groups)
    command = ["sh", "-c", f'{join}exec "$0" "$@"', sys.executable, str(PROCESS)]
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=ROOT / "functions/sweep",
        env=build_environment(url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(number):
            process.stdin.write("{}\n")
            process.stdin.flush()
            measured = read_measurement(process.stdout)
            with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
                yield measured | count_calls(json.load(answer))
            if measured["error"] == "killed":
                return
        process.stdin.close()


class Handler(WSGIRequestHandler):
    """Keeps connections open, as AWS does, and logs nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_request(self, *_: object) -> None:
        """Log nothing."""


def serve_region(vpcs: int, ports: Any) -> None:
    """Serve a region of this many VPCs; `GET /` returns the calls since the last time."""
    # Not in the parent: a process that it starts inherits its peak memory.
    from synthetic_region import build_region  # noqa: PLC0415

    _, aws = build_region(vpcs)

    @Request.application
    def answer(request: Request) -> Response:
        if request.method == "GET":
            calls = json.dumps(aws.calls)
            aws.calls.clear()
            return Response(calls)
        body = request.get_data(as_text=True)
        # DynamoDB names the operation in a header, EC2 in the body.
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        operation = target or parse_qs(body)["Action"][0]
        status, content = aws.answer("dynamodb" if target else "ec2", operation, body)
        return Response(content, status)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Handler)
    ports.put(server.port)
    server.serve_forever()


def main(vpcs: int, size: int = 512, number: int = 2) -> None:
    """Measure and print."""
    ports: Any = Queue()
    served = Process(target=serve_region, args=(vpcs, ports), daemon=True)
    served.start()
    with control_groups(size) as groups:
        for measured in run_sweeps(f"http://127.0.0.1:{ports.get()}", groups, number):
            run = {"vpcs": vpcs, "mb": size, "limited": bool(groups)}
            print(json.dumps(run | measured), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
