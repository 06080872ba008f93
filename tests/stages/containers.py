"""Whether functions can be run in containers here, and by which image."""

import shutil
import subprocess
from functools import lru_cache

from samcli.local.docker.lambda_image import LambdaImage

IMAGE = f"{LambdaImage._INVOKE_REPO_PREFIX}/python:3.13-x86_64"
PATIENCE = 120  # seconds for a pull


@lru_cache(maxsize=1)
def lacking() -> str:
    """Say what is missing to run `sam local invoke`; empty where nothing is."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    if _run("docker", "info", "--format", "{{.ServerVersion}}"):
        return "no Docker engine answers: start one, as .ci/run does"
    if _run("docker", "image", "inspect", IMAGE) and _run("docker", "pull", "--quiet", IMAGE):
        return f"{IMAGE} can be neither found nor pulled: .ci/lambda-image/build makes a stand-in"
    return ""


def _run(*command: str) -> int:
    try:
        done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return 1
    return done.returncode
