"""The Terraform module deploys the template, with a provider that calls nothing."""

import shutil
from pathlib import Path

import pytest

from terraform_stage import TerraformUnavailableError, initialise, start_terraform

MODULE = Path(__file__).parents[2] / "terraform"


def test_the_module_passes_its_own_tests(tmp_path: Path) -> None:
    """`terraform test` checks what the module gives to the stack."""
    folder = shutil.copytree(MODULE, tmp_path / MODULE.name)
    shutil.copy(MODULE.with_name("shared-events.yaml"), tmp_path)
    try:
        initialise(folder)
    except TerraformUnavailableError as unavailable:
        pytest.skip(str(unavailable))
    assert start_terraform(folder, "fmt", "-check", "-recursive").returncode == 0
    done = start_terraform(folder, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed, 0 failed" in done.stdout
