"""A region's sweep by the handler that is deployed, in the memory and processor of a Lambda.

The region is served by another process, so what is measured is the sweeping process alone. It runs
in a control group of the kernel that has this much memory, and the share of a processor that Lambda
gives with it (a whole one at 1,769 MB):
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html

Needs root and the controllers `memory` and `cpu` (cgroup v1); without them the process is measured
with no limit, and `limited` is false. Imports what the function has: no test or CLI dependency.

Run: `.venv/bin/python benchmarks/sized_sweep.py N [MB] [SWEEPS]`; prints one JSON object a sweep.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bundle import ROOT, SETTINGS
from synthetic_aws import ACCOUNT, REGION

WHOLE = 1769  # MB at which there is one processor
PERIOD = 100_000  # microseconds
GROUPS = Path("/sys/fs/cgroup")
PROBE = """
import json, os, resource, sys, time
import app
class Context:
    function_name = invoked_function_arn = aws_request_id = "benchmark"
    memory_limit_in_mb = 512
    end = 0
    def get_remaining_time_in_millis(self): return int((self.end - time.monotonic()) * 1000)
context = Context()
for line in sys.stdin:
    context.end = time.monotonic() + 900
    wall, cpu, error, counts = time.monotonic(), time.process_time(), "", {}
    try:
        counts = app.handler({}, context)
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"[:300]
    print("MEASURED", json.dumps({
        "wall": time.monotonic() - wall, "cpu": time.process_time() - cpu, "error": error,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "counts": counts,
    }), flush=True)
"""


@contextmanager
def group(size: int) -> Iterator[list[Path]]:
    """Make control groups of this many MB and Lambda's share of a processor; none where denied."""
    folders = [GROUPS / kind / f"posture-{os.getpid()}" for kind in ("memory", "cpu")]
    try:
        for folder in folders:
            folder.mkdir()
        (folders[0] / "memory.limit_in_bytes").write_text(str(size * 2**20))
        (folders[1] / "cpu.cfs_period_us").write_text(str(PERIOD))
        (folders[1] / "cpu.cfs_quota_us").write_text(str(int(PERIOD * size / WHOLE)))
    except OSError:
        yield []
    else:
        yield folders
    finally:
        for folder in folders:
            with suppress(OSError):
                folder.rmdir()


def environment(url: str) -> dict[str, str]:
    """Give the function's environment; AWS is at `url`."""
    layer = ROOT / "layers/posture/python"
    return (
        {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        | SETTINGS
        | {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "MONITORED_ACCOUNT": ACCOUNT,
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
            "AWS_DATA_PATH": str(layer / "posture/models"),
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
            "PYTHONPATH": f"{ROOT / 'functions/sweep'}{os.pathsep}{layer}",
        }
    )


def sweeps(url: str, folders: list[Path], number: int) -> Iterator[dict[str, Any]]:
    """Sweep so often in one process within these groups; tell of each."""
    join = "".join(f"echo $$ > {folder}/cgroup.procs; " for folder in folders)
    command = ["sh", "-c", f'{join}exec "$0" "$@"', sys.executable, "-c", PROBE]
    with subprocess.Popen(  # noqa: S603
        command,
        env=environment(url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(number):
            process.stdin.write("\n")
            process.stdin.flush()
            line = next((it for it in process.stdout if it.startswith("MEASURED")), "")
            with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own server
                calls = json.load(answer)
            told: dict[str, Any] = json.loads(line.partition(" ")[2] or '{"error": "killed"}')
            told["ec2"] = sum(n for call, n in calls.items() if call.startswith("ec2"))
            told["dns"] = calls.get("ec2:DescribeVpcAttribute", 0)
            told["dynamodb"] = sum(n for call, n in calls.items() if call.startswith("dynamodb"))
            yield told
            if not line:
                return
        process.stdin.close()


def main(vpcs: int, size: int, number: int) -> None:
    """Measure and print."""
    server = [sys.executable, str(Path(__file__).with_name("served_aws.py")), str(vpcs)]
    with (
        group(size) as folders,
        subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as served,  # noqa: S603
    ):
        assert served.stdout
        url = f"http://127.0.0.1:{served.stdout.readline().strip()}"
        try:
            for told in sweeps(url, folders, number):
                run = {"vpcs": vpcs, "mb": size, "limited": bool(folders)}
                print(json.dumps(run | told), flush=True)
        finally:
            served.terminate()


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(*(given + [0, 512, 2][len(given) :]))
