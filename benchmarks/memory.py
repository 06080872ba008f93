"""Measure memory sizes: the evaluator in a container, with Lambda's share of a vCPU for each size.

Per size: seconds to start (imports, clients), for a first and a warm batch, peak memory, CPU, and
the price of a thousand warm batches. The batch is events/evaluate/batch.json.

Needs Docker and Lambda's base image (`make image`). Run: `.venv/bin/python benchmarks/memory.py`
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bundle import LAYERS, build_layers
from lambda_environment import FULL_VCPU_MB, PROCESS, SETTINGS, read_measurement
from samcli.local.docker.lambda_image import LambdaImage
from shared_paths import ROOT

IMAGE = f"{LambdaImage._INVOKE_REPO_PREFIX}/python:3.13-x86_64"  # noqa: SLF001
SIZES = (256, 512, 1024, FULL_VCPU_MB, 2048)  # MB
PRICE = 0.0000133334  # dollars per GB-second, arm64, us-east-1: docs/operations.md


def measure(size: int, built: Path, url: str) -> list[dict[str, Any]]:
    """Handle the batch twice with a size's share of a vCPU; return both measurements."""
    event = json.loads((ROOT / "events/evaluate/batch.json").read_text(encoding="utf-8"))
    named = json.loads((ROOT / "env.json").read_text(encoding="utf-8"))["Parameters"]
    settings = SETTINGS | named
    settings |= {
        "AWS_ENDPOINT_URL": f"http://host.docker.internal:{url.rsplit(':', 1)[1]}",
        "PYTHONPATH": "/layer0:/layer1:/var/runtime",
    }
    command = ["docker", "run", "--rm", "-i", "--cpus", f"{min(size / FULL_VCPU_MB, 1.16):.3f}"]
    command += ["--memory", f"{size}m", "--add-host", "host.docker.internal:host-gateway"]
    command += [part for item in settings.items() for part in ("--env", "=".join(item))]
    mounts = {ROOT / "functions/evaluate": "/var/task", PROCESS: "/process.py"} | {
        built / layer / "python": f"/layer{number}" for number, layer in enumerate(LAYERS)
    }
    command += [part for at, to in mounts.items() for part in ("--volume", f"{at}:{to}:ro")]
    command += ["--workdir", "/var/task", "--entrypoint", "python3", IMAGE, "-B", "/process.py"]
    output = subprocess.check_output(command, input=2 * f"{json.dumps(event)}\n", text=True)  # noqa: S603
    lines = iter(output.splitlines())
    return [read_measurement(lines), read_measurement(lines)]


def main() -> None:
    """Print one line per size."""
    posture = str(Path(sys.executable).parent / "posture")
    command = [posture, "emulate", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator,  # noqa: S603
    ):
        try:
            line = emulator.stdout.readline() if emulator.stdout else ""
            url = line.split("AWS_ENDPOINT_URL=")[1].split()[0]
            build_layers(Path(name))
            print("    MB   start   first    warm  used MB   CPU s   1000 warm batches")
            for size in SIZES:
                first, warm = measure(size, Path(name), url)
                cost = warm["wall"] * size / 1024 * PRICE * 1000
                print(
                    f"{size:6} {first['import_wall']:6.2f}s {first['wall']:6.2f}s "
                    f"{warm['wall']:6.2f}s {warm['peak']:8.0f} {warm['total_cpu']:7.2f}   "
                    f"${cost:.4f}",
                    flush=True,
                )
        finally:
            emulator.terminate()


if __name__ == "__main__":
    main()
