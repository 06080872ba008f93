"""Try a sample of the changes that cosmic-ray makes up in the modules of `mutants.toml`.

Each runs the tests that the list names for the module, and where these pass, all unit tests of the
module's package. Prints what no test noticed, for docs/mutants.md, which explains them.
"""

from __future__ import annotations

import ast
import json
import os
import random
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from mutation.run import LEFT_OUT, PACKAGE, ROOT, load_mutants

COSMIC_RAY = ROOT / ".venv" / "cosmic-ray" / "bin" / "cosmic-ray"
SECONDS = 900
DELETIONS = (
    "DELETE FROM mutation_specs WHERE job_id NOT IN (SELECT value FROM json_each(?))",
    "DELETE FROM work_items WHERE job_id NOT IN (SELECT value FROM json_each(?))",
)


def collect_modules() -> dict[str, list[str]]:
    """Return the unit tests of each module of the pure core."""
    found: dict[str, set[str]] = {}
    for each in load_mutants():
        tests = {name for name in each.tests if name.startswith("tests/unit/")}
        found.setdefault(each.file, set()).update(tests)
    return {module: sorted(tests) for module, tests in sorted(found.items()) if tests}


def find_annotations(source: str) -> list[Any]:
    """Return the annotations, which are not evaluated: to change one changes nothing."""
    nodes = list(ast.walk(ast.parse(source)))
    named = [getattr(each, name, None) for each in nodes for name in ("annotation", "returns")]
    return [each for each in named if each is not None]


def choose(database: Path, source: str, count: int, seed: str) -> None:
    """Keep of a session a sample that depends on the seed only."""
    annotations = find_annotations(source)
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT start_pos_row, start_pos_col, operator_name, occurrence, job_id"
            " FROM mutation_specs ORDER BY 1, 2, 3, 4"
        ).fetchall()
        evaluated = [
            job
            for row, column, _, _, job in rows
            if not any(
                (each.lineno, each.col_offset)
                <= (row, column)
                <= (each.end_lineno, each.end_col_offset)
                for each in annotations
            )
        ]
        # Two samples of one seed are the same; nothing secret depends on it.
        kept = random.Random(seed).sample(evaluated, min(count, len(evaluated)))  # noqa: S311
        for deletion in DELETIONS:
            connection.execute(deletion, (json.dumps(kept),))


def try_module(copy: Path, module: str, tests: list[str], count: int, seed: int) -> Counter[str]:
    """Try a sample of one module; print what survived, and return the number of each outcome."""
    path = copy / PACKAGE / module
    pytest = f"{sys.executable} -m pytest -q -x -p no:cacheprovider"
    wide = f"tests/unit/{Path(module).parts[0]}"
    command = f"{pytest} {' '.join(tests)} && {pytest} {wide}"
    config, database = copy / "cosmic-ray.toml", copy / "cosmic-ray.sqlite"
    config.write_text(
        "[cosmic-ray]\n"
        f"module-path = {json.dumps(str(path))}\n"
        f"timeout = {SECONDS}\n"
        f"test-command = {json.dumps('sh -c ' + shlex.quote(command))}\n"
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    # Before the packages of the environment, which are those of the project itself.
    paths = f"{copy / PACKAGE.parent}{os.pathsep}{copy / 'cli'}"
    for step in ("init", "exec"):
        subprocess.run(  # noqa: S603 - our own list
            [COSMIC_RAY, step, config, database],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": paths},
            check=True,
            capture_output=True,
        )
        if step == "init":
            choose(database, path.read_text(encoding="utf-8"), count, f"{seed} {module}")
    with sqlite3.connect(database) as connection:
        outcomes = connection.execute("SELECT test_outcome, diff FROM work_results").fetchall()
    database.unlink()
    for outcome, diff in outcomes:
        if outcome == "SURVIVED":
            sys.stdout.write(diff.replace(str(copy) + "/", "") + "\n\n")
    counted = Counter(str(outcome).lower() for outcome, _ in outcomes)
    sys.stdout.write(f"{module}: {dict(counted)}\n")
    sys.stdout.flush()
    return counted


def main() -> None:
    """Try COUNT mutants of each module, chosen by SEED; with MODULES, of those that it begins."""
    count, seed = (int(each) for each in sys.argv[1:3])
    modules = sys.argv[3] if sys.argv[3:] else ""
    total = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT, Path(folder, "copy"), ignore=LEFT_OUT))
        for module, tests in collect_modules().items():
            if module.startswith(modules):
                total += try_module(copy, module, tests, count, seed)
    sys.stdout.write(f"{total['killed']} of {total.total()} noticed\n")


if __name__ == "__main__":
    main()
