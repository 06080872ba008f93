"""What a release has, from the recipe that makes it."""

import subprocess
import tomllib
from shutil import which

import pytest

from stack_template import PATH

ROOT = PATH.parent
TEMPLATES = ("member.yaml", "shared-events.yaml", "remediation.yaml")


@pytest.mark.skipif(which("make") is None, reason="make is not installed")
def test_a_release_is_deployed_without_the_repository() -> None:
    """Sam deploy reads its settings from the folder of the template."""
    make = ["make", "--dry-run", "--always-make", "--no-print-directory", "release"]
    done = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603
    lines = done.stdout.splitlines()
    [settings] = [line for line in lines if line.startswith("cp samconfig.toml")]
    assert settings.split()[2].endswith("/stack/")
    [copied] = [line for line in lines if line.startswith("cp -R")]
    assert {*TEMPLATES, "terraform"} < set(copied.split())
    assert "sha256sum" in lines[-1]


@pytest.mark.parametrize("environment", ["default", "pipeline"])
def test_a_deployment_needs_no_answers_but_the_confirmation(environment: str) -> None:
    """In a pipeline, not even that."""
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))[environment]
    assert settings["global"]["parameters"]["stack_name"] == "posture"
    deploy = settings["deploy"]["parameters"]
    assert deploy["resolve_s3"]
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["confirm_changeset"] == (environment == "default")


@pytest.mark.parametrize("environment", ["default", "pipeline"])
def test_a_creation_that_failed_does_not_block_the_next_one(environment: str) -> None:
    """CloudFormation updates no stack in ROLLBACK_COMPLETE. An update is rolled back as before."""
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))[environment]
    assert settings["deploy"]["parameters"]["on_failure"] == "DELETE"
    assert "disable_rollback" not in settings["deploy"]["parameters"]
