"""Plant each fault of `mutants.toml` in a copy of the project, and run the tests that must fail.

Prints a line for each fault, and exits with 1 if the tests missed one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.toml")
PACKAGE = Path("layers", "posture", "python", "posture")
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "node_modules")
FAILED = 1  # pytest's exit code where a test failed; others mean that no test ran
SECONDS = "300"  # of processor time, which an endless loop uses up


@dataclass(frozen=True)
class Mutant:
    """A fault, as the text that it replaces in a file, and the tests that must notice it."""

    fault: str
    file: str
    old: str
    new: str
    tests: list[str]


def load_mutants() -> list[Mutant]:
    """Load the faults."""
    return [Mutant(**each) for each in tomllib.loads(LIST.read_text(encoding="utf-8"))["mutant"]]


def run_tests(copy: Path, tests: list[str], **environment: str) -> int:
    """Run tests in the copy until one fails; return pytest's exit code."""
    # Before the packages of the environment, which are those of the project itself.
    paths = os.pathsep.join(map(str, [copy / PACKAGE.parent, copy / "cli", copy / "tests"]))
    plugins = ["-p", "no:cacheprovider", "-p", "mutation.mutant_tests"]
    return subprocess.run(  # noqa: S603 - our own list
        [sys.executable, "-m", "pytest", "-q", "-x", *plugins, *tests],
        cwd=copy,
        env={
            **os.environ,
            "PYTHONPATH": paths,
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
        capture_output=True,
        check=False,
    ).returncode


def notices(copy: Path, mutant: Mutant) -> bool:
    """Whether the tests fail with the fault.

    Raises:
        ValueError: its text does not occur once in the file.
    """
    path = copy / PACKAGE / mutant.file
    original = path.read_text(encoding="utf-8")
    if original.count(mutant.old) != 1:
        count = original.count(mutant.old)
        message = f"{mutant.file}: expected the text of {mutant.fault!r} once, found it {count}x"
        raise ValueError(message)
    path.write_text(original.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        return run_tests(copy, mutant.tests, LIMIT_SECONDS=SECONDS) == FAILED
    finally:
        path.write_text(original, encoding="utf-8")


def main() -> int:
    """Try every fault; return 1 if one was missed."""
    mutants, missed = load_mutants(), 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT, Path(folder, "copy"), ignore=LEFT_OUT))
        for mutant in mutants:
            began = time.perf_counter()
            noticed = notices(copy, mutant)
            missed += not noticed
            verdict = "noticed" if noticed else "MISSED "
            seconds = time.perf_counter() - began
            sys.stdout.write(f"{verdict} {seconds:4.0f} s  {mutant.file}: {mutant.fault}\n")
    sys.stdout.write(f"{len(mutants) - missed} of {len(mutants)} faults noticed\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
