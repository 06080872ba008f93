"""Measure the layers that SAM builds: megabytes, plain and zipped.

Run: `.venv/bin/python benchmarks/bundle.py`
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from shared_paths import ROOT

LAYERS = ("PostureLayer", "DependenciesLayer")


def build_layers(folder: Path) -> None:
    """Build the layers as they are deployed."""
    sam = str(Path(sys.executable).parent / "sam")
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1"}
    command = [sam, "build", "--no-cached", "--build-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)  # noqa: S603


def measure_folder(folder: Path) -> tuple[int, int]:
    """Return the bytes of a folder, plain and zipped."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    with tempfile.TemporaryDirectory() as name:
        zipped = os.path.getsize(shutil.make_archive(f"{name}/layer", "zip", folder))  # noqa: PTH202
    return sum(path.stat().st_size for path in files), zipped


def main() -> None:
    """Print one line per layer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_layers(folder)
        for layer in LAYERS:
            plain, zipped = measure_folder(folder / layer)
            print(f"{layer:18} {plain / 1e6:6.2f} MB, zipped {zipped / 1e6:5.2f} MB")


if __name__ == "__main__":
    main()
