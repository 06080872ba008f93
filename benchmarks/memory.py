"""Memory sizes: the evaluator in a container, its processor cut as Lambda cuts it.

Lambda gives a function processor time by its memory, a whole one at 1,769 MB:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
Per size: seconds to start (imports, clients), for a first batch and for a warm one, the most memory
that was used, and what a thousand warm batches cost. The batch is events/evaluate/batch.json.

Needs Docker and Lambda's base image (`make image`). Run: `.venv/bin/python benchmarks/memory.py`
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bundle import LAYERS, ROOT, SETTINGS, build
from samcli.local.docker.lambda_image import LambdaImage

IMAGE = f"{LambdaImage._INVOKE_REPO_PREFIX}/python:3.13-x86_64"  # noqa: SLF001
SIZES = (256, 512, 1024, 1769, 2048)  # MB
WHOLE = 1769  # MB at which there is one processor
PRICE = 0.0000133334  # dollars a GB-second, arm64, us-east-1
PROBE = """
import json, os, resource, time
begin = time.perf_counter()
import app
start = time.perf_counter()
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "benchmark"
    def get_remaining_time_in_millis(self): return 60000
event = json.loads(os.environ["EVENT"])
app.handler(event, Context())
first = time.perf_counter()
app.handler(event, Context())
warm = time.perf_counter()
used = resource.getrusage(resource.RUSAGE_SELF)
print("MEASURED", json.dumps([start - begin, first - start, warm - first, used.ru_maxrss / 1024,
                              used.ru_utime + used.ru_stime]))
"""


def measured(size: int, built: Path, url: str) -> list[float]:
    """Run the probe with a size's share of the processor."""
    event = (ROOT / "events/evaluate/batch.json").read_text(encoding="utf-8")
    named = json.loads((ROOT / "env.json").read_text(encoding="utf-8"))["Parameters"]
    port = url.rsplit(":", 1)[1]
    settings = SETTINGS | named | {"EVENT": event, "POWERTOOLS_LOG_LEVEL": "ERROR"}
    settings |= {
        "AWS_ENDPOINT_URL": f"http://host.docker.internal:{port}",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
        "PYTHONPATH": "/var/task:/layer0:/layer1:/var/runtime",
    }
    command = ["docker", "run", "--rm", "--cpus", f"{min(size / WHOLE, 1.16):.3f}"]
    command += ["--memory", f"{size}m", "--add-host", "host.docker.internal:host-gateway"]
    command += [part for item in settings.items() for part in ("--env", "=".join(item))]
    command += ["--volume", f"{ROOT / 'functions/evaluate'}:/var/task:ro"]
    for number, layer in enumerate(LAYERS):
        command += ["--volume", f"{built / layer / 'python'}:/layer{number}:ro"]
    command += ["--entrypoint", "python3", IMAGE, "-B", "-c", PROBE]
    said = subprocess.check_output(command, text=True)  # noqa: S603
    (line,) = [line for line in said.splitlines() if line.startswith("MEASURED")]
    values: list[float] = json.loads(line.partition(" ")[2])
    return values


def main() -> None:
    """Print one line a size."""
    posture = str(Path(sys.executable).parent / "posture")
    command = [posture, "emulate", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as emulator,  # noqa: S603
    ):
        try:
            line = emulator.stdout.readline() if emulator.stdout else ""
            url = line.split("AWS_ENDPOINT_URL=")[1].split()[0]
            build(Path(name))
            print("    MB   start   first    warm  used MB   CPU s   1000 warm batches")
            for size in SIZES:
                start, first, warm, used, processor = measured(size, Path(name), url)
                cost = warm * size / 1024 * PRICE * 1000
                print(
                    f"{size:6} {start:6.2f}s {first:6.2f}s {warm:6.2f}s {used:8.0f} "
                    f"{processor:7.2f}   ${cost:.4f}",
                    flush=True,
                )
        finally:
            emulator.terminate()


if __name__ == "__main__":
    main()
