"""Puts the commit that a wheel is built from into it, for `posture --version`."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):
    """Adds `posture_cli/project/commit` to a wheel; an editable install asks git instead."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file, unless the sources are not a clone."""
        git = ["git", "-C", self.root, "rev-parse", "--short=12", "HEAD"]
        done = subprocess.run(git, capture_output=True, check=False, text=True)  # noqa: S603
        commit = done.stdout
        if commit and version == "standard":
            self._folder = tempfile.TemporaryDirectory()
            file = Path(self._folder.name) / "commit"
            file.write_text(commit)
            build_data["force_include"][str(file)] = "posture_cli/project/commit"
