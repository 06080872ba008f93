"""Try a sample of the changes that cosmic-ray makes up in modules of the pure core.

First the tests of each package run once without a fault, to learn which files of tests run which
line and how long they take. Each mutant then runs the files that run its line, the shortest first,
and the others, up to the first failure. Prints what no test noticed, for docs/mutants.md, which
explains them.
"""

from __future__ import annotations

import ast
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from itertools import groupby
from pathlib import Path
from typing import Any

from mutation.run import FAILED, LEFT_OUT, PACKAGE, ROOT, load_mutants, run_tests

COSMIC_RAY = ROOT / ".venv" / "cosmic-ray" / "bin" / "cosmic-ray"
# Of each property: to learn which lines it runs, and to notice a mutant. All would take minutes.
TRACED, TRIED = "10", "50"
# What an endless loop may use up: some times what the traced tests take, of processor time.
SLACK = 10
AT_LEAST = 60


@dataclass(frozen=True)
class Change:
    """A change that cosmic-ray makes, and where."""

    row: int
    column: int
    operator: str
    occurrence: int


@dataclass(frozen=True)
class Covered:
    """What the tests of a package run: the files of tests of each line, and their seconds.

    Those of properties are of a few examples only.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[str, list[str]]]

    def sort_tests(self, path: Path, rows: range) -> list[str]:
        """Return all files of tests: those that run one of the rows first, the shortest first.

        Others may fail as well: what was computed once is kept, and examples are rare.
        """
        lines = self.lines.get(str(path), {})
        found = {name for row in rows for name in lines.get(str(row), ())}
        return sorted(self.seconds, key=lambda name: (name not in found, self.seconds[name], name))


def collect_modules(prefix: str) -> Iterator[tuple[str, list[str]]]:
    """Return modules with the tests of their package, and those that the list names for them.

    With a prefix, these are the modules that it begins; without, those of the list.
    """
    named: dict[str, set[str]] = {}
    for each in load_mutants():
        tests = {name for name in each.tests if name.startswith("tests/unit/")}
        named.setdefault(each.file.split("/")[0], set()).update(tests)
    package = ROOT / PACKAGE
    modules = {each.file for each in load_mutants()}
    if prefix:
        modules = {str(each.relative_to(package)) for each in package.rglob("*.py")}
    for module in sorted(modules):
        room = module.split("/")[0]
        tests = named.get(room, set()) | {f"tests/unit/{room}"}
        present = sorted(each for each in tests if (ROOT / each).exists())
        present = [each for each in present if not any(each.startswith(f"{it}/") for it in present)]
        if module.startswith(prefix) and present:
            yield module, present


def measure(copy: Path, module: str, tests: list[str]) -> Covered:
    """Run tests without a fault.

    Raises:
        ValueError: they fail.
    """
    path = copy / "covered.json"
    covered = str(copy / PACKAGE / Path(module).parts[0])
    options = {"COVERAGE_FILE": str(path), "COVERED": covered, "EXAMPLES": TRACED}
    if code := run_tests(copy, tests, **options):
        message = f"{' '.join(tests)}: expected to pass without a fault, pytest returned {code}"
        raise ValueError(message)
    return Covered(**json.loads(path.read_text(encoding="utf-8")))


def list_changes(copy: Path, path: Path) -> list[Change]:
    """Return the changes that cosmic-ray can make in a module."""
    config, database = copy / "cosmic-ray.toml", copy / "cosmic-ray.sqlite"
    config.write_text(
        f'[cosmic-ray]\nmodule-path = {json.dumps(str(path))}\ntimeout = 1\ntest-command = ""\n'
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    _cosmic_ray("init", str(config), str(database))
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT start_pos_row, start_pos_col, operator_name, occurrence FROM mutation_specs"
            " ORDER BY 1, 2, 3, 4"
        ).fetchall()
    database.unlink()
    return [Change(*row) for row in rows]


def find_annotations(tree: ast.AST) -> list[Any]:
    """Return the annotations, which are not evaluated: to change one changes nothing."""
    nodes = list(ast.walk(tree))
    named = [getattr(each, name, None) for each in nodes for name in ("annotation", "returns")]
    return [each for each in named if each is not None]


def choose(changes: list[Change], tree: ast.AST, count: int, seed: str) -> list[Change]:
    """Return a sample that depends on the seed only."""
    annotations = find_annotations(tree)
    evaluated = [
        change
        for change in changes
        if not any(
            (each.lineno, each.col_offset)
            <= (change.row, change.column)
            <= (each.end_lineno, each.end_col_offset)
            for each in annotations
        )
    ]
    # Two samples of one seed are the same; nothing secret depends on it.
    return random.Random(seed).sample(evaluated, min(count, len(evaluated)))  # noqa: S311


def find_statement(tree: ast.AST, row: int) -> range:
    """Return the rows of the smallest statement around a row, of a compound one without its body.

    A statement of several rows does not run each of them.
    """
    rows = range(row, row + 1)
    for each in ast.walk(tree):  # outer ones come first
        if isinstance(each, ast.stmt) and each.lineno <= row <= (each.end_lineno or row):
            body = getattr(each, "body", None)
            end = body[0].lineno if isinstance(body, list) and body[0].lineno > row else None
            rows = range(each.lineno, end or (each.end_lineno or row) + 1)
    return rows


def try_module(copy: Path, module: str, covered: Covered, count: int, seed: int) -> Counter[str]:
    """Try a sample of one module; print what survived, and return the number of each outcome."""
    path, counted = copy / PACKAGE / module, Counter[str]()
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    began = time.perf_counter()
    for change in choose(list_changes(copy, path), tree, count, f"{seed} {module}"):
        tests = covered.sort_tests(path, find_statement(tree, change.row))
        limit = AT_LEAST + SLACK * sum(covered.seconds[name] for name in tests)
        _cosmic_ray("apply", str(path), change.operator, str(change.occurrence))
        try:
            options = {"LIMIT_SECONDS": str(int(limit)), "EXAMPLES": TRIED}
            code = run_tests(copy, tests, **options)
            changed = path.read_text(encoding="utf-8")
        finally:
            path.write_text(source, encoding="utf-8")
        outcome = {0: "survived", FAILED: "noticed"}.get(code, "did not run or end")
        counted[outcome] += 1
        if not code:
            name = f"{module}, {change.operator}"
            lines = unified_diff(source.splitlines(), changed.splitlines(), name, "mutant", n=1)
            sys.stdout.write("\n".join(each.rstrip() for each in lines) + "\n\n")
    sys.stdout.write(f"{module}: {dict(counted)} in {time.perf_counter() - began:.0f} s\n")
    sys.stdout.flush()
    return counted


def main() -> None:
    """Try COUNT mutants of each module, chosen by SEED; with MODULES, of those that it begins."""
    count, seed = (int(each) for each in sys.argv[1:3])
    total = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(ROOT, Path(folder, "copy"), ignore=LEFT_OUT))
        for tests, modules in groupby(collect_modules("".join(sys.argv[3:])), key=lambda x: x[1]):
            names = [module for module, _ in modules]
            covered = measure(copy, names[0], tests)
            for module in names:
                total += try_module(copy, module, covered, count, seed)
    sys.stdout.write(f"{total.total() - total['survived']} of {total.total()} noticed\n")


def _cosmic_ray(*arguments: str) -> None:
    subprocess.run([COSMIC_RAY, *arguments], check=True, capture_output=True)  # noqa: S603


if __name__ == "__main__":
    main()
