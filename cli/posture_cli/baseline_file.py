"""Reads and writes baseline files, in YAML or JSON."""

from pathlib import Path
from typing import Any

import typer
import yaml

from posture.baseline.document import BaselineDocument
from posture.baseline.parse import dump_document, parse_document
from posture.errors import BaselineError
from posture_cli import exit_codes
from posture_cli.console import open_stderr
from posture_cli.text import make_printable

EXAMPLE = (Path(__file__).parent / "baseline.example.yaml").read_text(encoding="utf-8")


class _Loader(yaml.SafeLoader):
    """Reads plain values only, and refuses a duplicate key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _error_at("a key must be a string; quote it", key_node)
            if key in keys:
                raise _error_at(f"duplicate key {key}", key_node)
            keys.add(key)
        return super().construct_mapping(node, deep)


def _construct_map(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


# AWS SAM's command, where it runs in the same process, makes all safe loaders read mappings by its
# own function, which knows neither.
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_map)


def load_baseline(path: Path | None) -> BaselineDocument:
    """Load a baseline file, or the built-in baseline; print the errors of a bad one and exit.

    Raises:
        typer.Exit: The file has errors; each is printed on its own line.
        OSError: The file cannot be read.
    """
    if path is None:
        return BaselineDocument()
    try:
        return _parse_file(path)
    except BaselineError as error:
        console = open_stderr()
        number = len(error.mistakes)
        count = f"{number} errors" if number > 1 else "an error"
        console.print(f"posture: {path} has {count}:", style="bold red")
        for each in error.mistakes:
            console.print(f"  {make_printable(each)}")
        raise typer.Exit(exit_codes.ERROR) from None


def _parse_file(path: Path) -> BaselineDocument:
    try:
        raw = yaml.load(path.read_bytes(), _Loader)  # noqa: S506 - derived from the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BaselineError((f"{where}{error.problem or error}",)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BaselineError((f"expected YAML or JSON: {error}",)) from None
    except RecursionError:
        raise BaselineError(("expected YAML or JSON; this is nested too deeply",)) from None
    return parse_document(raw)


def dump_baseline(document: BaselineDocument) -> str:
    """Return a document as YAML that `load_baseline` reads back."""
    text: str = yaml.safe_dump(dump_document(document), sort_keys=False, allow_unicode=True)
    return text


def _error_at(problem: str, node: yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
