"""Cold start: importing each function as Lambda does, against bare boto3 with the same clients.

The processes see what a function sees and no more: boto3 with what it needs, and the two layers.
(An AWS CRT or a pyOpenSSL that lies beside boto3 on a developer's machine is imported by it, and
flatters every ratio.) `first` is the import and a first event together: what an import puts off is
in it. The calls of that event are answered from a recording.

Run: `.venv/bin/python benchmarks/start.py`; prints one JSON object: milliseconds of CPU from the
start of a process, ratios, MB.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import distribution
from pathlib import Path
from statistics import median
from typing import Any

from bundle import ROOT, SETTINGS
from recording import tapes
from synthetic_aws import ACCOUNT

RUNS = 9
CLIENTS = {
    "evaluate": ("ec2", "dynamodb"),
    "sweep": ("ec2", "dynamodb"),
    "notify": ("dynamodb", "sns"),
}
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "python-dateutil", "six")
BARE = (
    "import time, boto3; s = boto3.Session(); [s.client(name) for name in {}]; "
    "print(time.process_time() * 1000)"
)
REPLAY = str(Path(__file__).parent / "replay.py")
NO_BYTECODE = shutil.ignore_patterns("__pycache__")


def laid_out(folder: Path, names: Iterable[str]) -> Path:
    """Copy the sources of installed packages into a folder."""
    for name in names:
        for file in distribution(name).files or ():
            source = Path(str(file.locate()))
            if ".." not in file.parts and source.is_file() and source.suffix != ".pyc":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    return folder


def layers(folder: Path) -> Path:
    """Copy the sources of the two layers into a folder."""
    lines = (ROOT / "layers/dependencies/requirements.txt").read_text().splitlines()
    laid_out(folder, [line.split("==")[0] for line in lines if "==" in line])
    ours = ROOT / "layers/posture/python"
    return Path(shutil.copytree(ours, folder, dirs_exist_ok=True, ignore=NO_BYTECODE))


def milliseconds(function: str, path: Sequence[Path], *arguments: str) -> list[float]:
    """Run Python as Lambda runs a function; give the milliseconds of CPU that it prints."""
    environment = SETTINGS | {
        "MONITORED_ACCOUNT": ACCOUNT,
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "PYTHONPATH": os.pathsep.join(map(str, path)),
    }
    if len(path) > 1:  # with the layers
        environment["AWS_DATA_PATH"] = str(path[0] / "posture/models")
    # Lambda writes no bytecode, and there are no other packages.
    command = [sys.executable, "-B", "-S", *arguments]
    folder = ROOT / "functions" / function
    printed = subprocess.check_output(command, cwd=folder, env=environment, text=True)  # noqa: S603
    return [float(each) for each in printed.splitlines()[-1].split()]


def started(function: str, opt: Path, runtime: Path, tape: Path) -> dict[str, float]:
    """Measure one function, in turns with bare boto3, so that a busy machine is busy for both."""
    bare, whole = [], []
    for _ in range(RUNS):
        code = BARE.format(CLIENTS[function])
        bare.append(milliseconds(function, [runtime], "-c", code)[0])
        whole.append(milliseconds(function, [opt, runtime], REPLAY, str(tape)))
    imports, firsts = zip(*whole, strict=True)
    return {
        "bare": round(median(bare)),
        "whole": round(median(imports)),
        "ratio": round(median(imports) / median(bare), 2),
        "least": round(min(imports) / min(bare), 2),
        "first": round(median(firsts)),
    }


def main() -> None:
    """Measure and print."""
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runtime = laid_out(folder / "runtime", RUNTIME)
        compileall.compile_dir(runtime, quiet=1)
        opt = layers(folder / "opt")
        told["layer"] = size_of(opt)
        recorded = tapes(folder)
        for kind in ("sources", "bytecode"):
            if kind == "bytecode":
                compileall.compile_dir(opt, quiet=1)
            told[kind] = {
                function: started(function, opt, runtime, recorded[function])
                for function in CLIENTS
            }
    print(json.dumps(told))


def size_of(folder: Path) -> float:
    """Give the megabytes of the files in a folder."""
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) / 1e6


if __name__ == "__main__":
    main()
