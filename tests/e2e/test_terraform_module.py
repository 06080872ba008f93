"""The Terraform module deploys the template, with a provider that calls nothing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "terraform"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Terraform in a folder."""
    return subprocess.run(  # noqa: S603 - fixed arguments
        ["terraform", *arguments],  # noqa: S607 - as installed
        cwd=folder,
        env={**os.environ, "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_module_passes_its_own_tests(tmp_path: Path) -> None:
    """`terraform test` checks what the module gives to the stack."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    folder = shutil.copytree(MODULE, tmp_path / "terraform")
    if run(folder, "init", "-input=false", "-no-color").returncode:
        pytest.skip("terraform init finds no provider hashicorp/aws")
    assert run(folder, "fmt", "-check", "-recursive").returncode == 0
    done = run(folder, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 0 failed" in done.stdout
