"""What `sam local invoke` needs on this machine, and the image that it uses."""

import shutil
import subprocess
from functools import lru_cache

from samcli.local.docker.lambda_image import LambdaImage

IMAGE = f"{LambdaImage._INVOKE_REPO_PREFIX}/python:3.13-x86_64"
PULL_TIMEOUT = 120  # seconds


@lru_cache(maxsize=1)
def find_missing() -> str:
    """Return what is missing to run `sam local invoke`; "" if nothing is."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    if _run("docker", "info", "--format", "{{.ServerVersion}}"):
        return "no Docker engine is running; .ci/run starts one"
    if _run("docker", "image", "inspect", IMAGE) and _run("docker", "pull", "--quiet", IMAGE):
        return f"{IMAGE} cannot be pulled; make image builds a replacement"
    return ""


def _run(*command: str) -> int:
    try:
        done = subprocess.run(command, capture_output=True, timeout=PULL_TIMEOUT, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return 1
    return done.returncode
