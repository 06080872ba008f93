"""The files of the project that the command needs: in a clone, or as the wheel packages them."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import posture_cli
from posture_cli.failure import CommandError

PACKAGED = Path(posture_cli.__file__).resolve().parent / "project"
CLONE = PACKAGED.parents[2]
DEMO = "pipx install 'vpc-endpoint-posture[demo]'"


def find_project() -> Path:
    """Return the folder with `template.yaml`, `functions/` and `events/`."""
    return CLONE if (CLONE / "template.yaml").is_file() else PACKAGED


def require_demo() -> Path:
    """Return the project's folder, where an AWS can be emulated.

    Raises:
        CommandError: The packages of the extra `demo` are not installed.
    """
    missing = [name for name in ("moto", "flask") if find_spec(name) is None]
    if missing:
        raise CommandError(f"this needs {' and '.join(missing)}, of the extra demo: {DEMO}")
    return find_project()


def read_commit() -> str:
    """Read the commit that this program was built from; "" where it is not known."""
    packaged = PACKAGED / "commit"
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8").strip()
    if not (CLONE / ".git").exists():
        return ""
    git = ["git", "-C", str(CLONE), "rev-parse", "--short=12", "HEAD"]
    try:
        asked = subprocess.run(git, capture_output=True, check=False, text=True)  # noqa: S603
    except OSError:
        return ""
    return asked.stdout.strip()
