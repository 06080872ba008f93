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
from pathlib import Path
from typing import Any

from lambda_environment import FULL_VCPU_MB, PROCESS, build_environment, read_measurement
from shared_paths import ROOT
from synthetic_aws import count_calls

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


def main(vpcs: int, size: int = 512, number: int = 2) -> None:
    """Measure and print."""
    server = [sys.executable, str(Path(__file__).with_name("served_aws.py")), str(vpcs)]
    with (
        control_groups(size) as groups,
        subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as served,  # noqa: S603
    ):
        assert served.stdout
        url = f"http://127.0.0.1:{served.stdout.readline().strip()}"
        try:
            for measured in run_sweeps(url, groups, number):
                run = {"vpcs": vpcs, "mb": size, "limited": bool(groups)}
                print(json.dumps(run | measured), flush=True)
        finally:
            served.terminate()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
