"""A baseline file as people write it, in YAML or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
import yaml

from posture.baseline.document import BaselineDocument
from posture.baseline.parse import dump_document, parse_document
from posture.errors import BaselineError
from posture_cli import exit_codes as exits
from posture_cli.console import notes
from posture_cli.text import printable

EXAMPLE = (Path(__file__).parent / "baseline.example.yaml").read_text(encoding="utf-8")


class _Loader(yaml.SafeLoader):
    """Reads plain values only, and refuses a key that stands twice in one place."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _mistake("a key must be a text; write it in quotes", key_node)
            if key in seen:
                raise _mistake(f"{key} stands twice; only one of them could hold", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


def load(path: Path) -> BaselineDocument:
    """Read a baseline file; JSON is YAML, too.

    Raises:
        BaselineError: it is no YAML, or its fields are wrong; each mistake is named.
        OSError: the file cannot be read.
    """
    try:
        raw = yaml.load(path.read_bytes(), _Loader)  # noqa: S506 - derived from the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BaselineError((f"{path}: {where}{error.problem or error}",)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BaselineError((f"{path}: expected YAML or JSON: {error}",)) from None
    except RecursionError:
        raise BaselineError(
            (f"{path}: expected YAML or JSON, got one nested too deeply",)
        ) from None
    return parse_document(raw)


def explained(path: Path) -> BaselineDocument:
    """Read a file, or list its mistakes one a line and end."""
    try:
        return load(path)
    except BaselineError as error:
        console = notes()
        number = len(error.mistakes)
        many = f"{number} mistakes" if number > 1 else "a mistake"
        console.print(f"posture: {path} has {many}:", style="bold red")
        for mistake in error.mistakes:
            console.print(f"  {printable(mistake.removeprefix(f'{path}: '))}")
        raise typer.Exit(exits.MISTAKE) from None


def dump(document: BaselineDocument) -> str:
    """Give a document as YAML that `load` reads back."""
    text: str = yaml.safe_dump(dump_document(document), sort_keys=False, allow_unicode=True)
    return text


def _mistake(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
