"""Measure cold starts: each function as Lambda starts it, against bare boto3 with the same clients.

The processes see only what a function sees: boto3 with its dependencies, and the two layers. (boto3
imports an AWS CRT or pyOpenSSL that a developer's machine may have, which changes every ratio.)
`first` is the import and a first event together, so it includes what an import postpones. AWS's
answers to that event come from a recording.

Run: `.venv/bin/python benchmarks/start.py`; prints one JSON object: milliseconds of CPU from the
start of a process, ratios, MB.
"""

import compileall
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stdout
from importlib.metadata import distribution
from pathlib import Path
from statistics import median
from typing import Any

from bundle import measure_folder
from lambda_environment import LAYER, PROCESS, SETTINGS, read_measurement
from shared_paths import ROOT
from synthetic_region import (
    CONTEXT,
    build_change,
    build_evaluator,
    build_notifier,
    build_queue_event,
    build_region,
    build_stream_records,
    build_sweep,
)

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
NO_BYTECODE = shutil.ignore_patterns("__pycache__")


def copy_packages(folder: Path, names: Iterable[str]) -> Path:
    """Copy the sources of installed packages into a folder; return it."""
    for name in names:
        for file in distribution(name).files or ():
            source = Path(str(file.locate()))
            if ".." not in file.parts and source.is_file() and source.suffix != ".pyc":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    return folder


def copy_layers(folder: Path) -> Path:
    """Copy the sources of the two layers into a folder; return it."""
    lines = (ROOT / "layers/dependencies/requirements.txt").read_text().splitlines()
    copy_packages(folder, [line.split("==")[0] for line in lines if "==" in line])
    return Path(shutil.copytree(LAYER, folder, dirs_exist_ok=True, ignore=NO_BYTECODE))


def run_python(function: str, path: Sequence[Path], *arguments: str) -> list[str]:
    """Run Python in a function's folder with these packages; return the lines that it prints."""
    environment = SETTINGS | {"PYTHONPATH": os.pathsep.join(map(str, path))}
    if len(path) > 1:  # with the layers
        environment["AWS_DATA_PATH"] = str(path[0] / "posture/models")
    # Lambda writes no bytecode, and there are no other packages.
    command = [sys.executable, "-B", "-S", *arguments]
    folder = ROOT / "functions" / function
    return subprocess.check_output(command, cwd=folder, env=environment, text=True).splitlines()  # noqa: S603


def measure_function(
    function: str, layers: Path, runtime: Path, recording: Path
) -> dict[str, float]:
    """Measure one function, in turns with bare boto3, so that other load affects both alike."""
    bare, imports, firsts = [], [], []
    for _ in range(RUNS):
        code = BARE.format(CLIENTS[function])
        bare.append(float(run_python(function, [runtime], "-c", code)[-1]))
        lines = run_python(function, [layers, runtime], str(PROCESS), str(recording))
        measured = read_measurement(lines)
        imports.append(1000 * measured["import_cpu"])
        firsts.append(1000 * (measured["import_cpu"] + measured["cpu"]))
    return {
        "bare": round(median(bare)),
        "whole": round(median(imports)),
        "ratio": round(median(imports) / median(bare), 2),
        "least": round(min(imports) / min(bare), 2),
        "first": round(median(firsts)),
    }


def record_first_events(folder: Path) -> dict[str, Path]:
    """Record a change in a new VPC, a region's first sweep and its alerts; return the files."""
    session, aws = build_region(1)
    change = build_queue_event([build_change(aws.rows("DescribeVpcs")[0]["VpcId"], 1)])
    recorded = {}

    def record(function: str, event: Any, act: Callable[[], object]) -> None:
        aws.recording = []
        act()
        recorded[function] = folder / f"{function}.recording"
        recorded[function].write_bytes(pickle.dumps((event, aws.recording)))

    evaluator = build_evaluator(session)
    record("evaluate", change, lambda: evaluator.evaluate(change))
    aws.tables.clear()
    record("sweep", {}, build_sweep(session).run)
    records = build_stream_records(aws)
    with redirect_stdout(None):  # the metrics
        notifier = build_notifier(session)
        record("notify", {"Records": records}, lambda: notifier.notify(records, CONTEXT))
    return recorded


def main() -> None:
    """Measure and print."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runtime = copy_packages(folder / "runtime", RUNTIME)
        compileall.compile_dir(runtime, quiet=1)
        layers = copy_layers(folder / "layers")
        results["layer"] = measure_folder(layers)[0] / 1e6
        recordings = record_first_events(folder)
        for kind in ("sources", "bytecode"):
            if kind == "bytecode":
                compileall.compile_dir(layers, quiet=1)
            results[kind] = {
                function: measure_function(function, layers, runtime, recordings[function])
                for function in CLIENTS
            }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
