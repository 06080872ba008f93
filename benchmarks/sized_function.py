"""Measure a deployed handler with the memory and the CPU of its Lambda function.

Another process serves AWS, so only the process of the function is measured. It runs in a kernel
control group with this much memory and Lambda's share of a vCPU. The inputs are those of
`hostile_inputs.py`.

Needs root and the controllers `memory` and `cpu` (cgroup v1); without them the process runs without
limits, and `limited` is false. Imports only what the function has.

Run: `.venv/bin/python benchmarks/sized_function.py INPUT SIZE [MB] [TIMES]`, as in `sweep 1000`;
prints one JSON object per event. MB is the function's of `template.yaml` unless it is given.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import Pipe, Process
from pathlib import Path
from typing import Any

from lambda_environment import FULL_VCPU_MB, PROCESS, build_environment, read_measurement
from shared_paths import ROOT

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


def run_events(
    served: Mapping[str, Any], groups: list[Path], times: int
) -> Iterator[dict[str, Any]]:
    """Handle the events so many times in one process within the groups; yield each measurement."""
    join = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in groups)
    command = ["sh", "-c", f'{join}exec "$0" "$@"', sys.executable, str(PROCESS)]
    url = served["url"]
    with subprocess.Popen(  # noqa: S603
        command,
        cwd=ROOT / "functions" / served["function"],
        env=build_environment(url) | served["environment"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for event in served["events"] * times:
            process.stdin.write(f"{json.dumps(event)}\n")
            process.stdin.flush()
            measured = read_measurement(process.stdout)
            with urllib.request.urlopen(f"{url}/calls") as answer:  # noqa: S310 - our own server
                yield measured | json.load(answer)
            if measured["error"] == "killed":
                return
        process.stdin.close()


def serve(name: str, size: int, results: Any) -> None:
    """Serve the AWS of an input; `GET /calls` returns the calls since the last time."""
    # Not in the parent: a process that it starts inherits its peak memory.
    from hostile_inputs import INPUTS, open_server  # noqa: PLC0415

    given = INPUTS[name](size)
    server = open_server(given)
    results.send(
        {
            "url": f"http://127.0.0.1:{server.port}",
            "function": given.function,
            "memory": given.memory,
            "timeout": given.timeout,
            "environment": given.environment,
            "events": given.events,
        }
    )
    server.serve_forever()


def main(name: str, size: str, memory: str = "", times: str = "2") -> None:
    """Measure and print."""
    received, sent = Pipe(duplex=False)
    Process(target=serve, args=(name, int(size), sent), daemon=True).start()
    sent.close()  # so that it ends if the server cannot start
    served = received.recv()
    limit = int(memory or served["memory"])
    with control_groups(limit) as groups:
        for measured in run_events(served, groups, int(times)):
            run = {"input": name, "size": int(size), "mb": limit, "limited": bool(groups)}
            print(json.dumps(run | {"timeout": served["timeout"]} | measured), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
