"""The built wheel runs outside a clone, and needs no emulated AWS to read a network."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from processes import ROOT

# Runs the command as a user of the wheel would; `HIDDEN` stands for what is not installed.
RUN = """
import sys
sys.path = [each for each in sys.path if not each.startswith({root!r} + '/')
            or 'site-packages' in each]
sys.path_hooks, sys.meta_path = sys.path_hooks, [
    each for each in sys.meta_path if 'editable' not in repr(each).lower()]
sys.path.insert(0, {wheel!r})
sys.modules |= dict.fromkeys({hidden!r})
from posture_cli.main import run
sys.argv = ['posture', *{arguments!r}]
run()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it, as an installation does."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def run(wheel: Path, *arguments: str, hidden: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Run the command of the wheel in an empty folder; return exit code and output."""
    text = RUN.format(root=str(ROOT), wheel=str(wheel), hidden=hidden, arguments=arguments)
    empty = wheel.parent / "empty"
    empty.mkdir(exist_ok=True)
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", text], cwd=empty, check=False, capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def test_the_demo_runs_outside_a_clone(wheel: Path) -> None:
    """Template, functions and events are in the wheel."""
    code, output, _ = run(wheel, "demo")
    assert code == 0
    assert "Every change was detected, reported and, after its repair, resolved." in output


def test_the_version_names_the_commit(wheel: Path) -> None:
    """That of the clone that the wheel was built from."""
    head = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert run(wheel, "--version")[1] == f"posture 0.1.0 (commit {head.stdout.strip()})\n"


def test_what_reads_a_network_needs_no_extra(wheel: Path) -> None:
    """Commands without the emulated AWS import none of its packages."""
    hidden = ("moto", "flask", "flask_cors", "jsonpath_ng", "openapi_spec_validator")
    for command in ("scan", "coverage", "explain", "findings", "report", "rules", "what-if"):
        code, _, errors = run(wheel, command, "--help", hidden=hidden)
        assert (code, errors) == (0, "")
    code, output, _ = run(wheel, "rules", "--output", "json", hidden=hidden)
    assert code == 0
    assert "gateway-service-bypasses-endpoint" in output


def test_the_demo_names_the_extra_that_it_needs(wheel: Path) -> None:
    """One sentence with the command that installs it."""
    code, _, errors = run(wheel, "demo", hidden=("moto",))
    assert code == 2
    assert errors == (
        "posture: this needs moto, of the extra demo: pipx install 'vpc-endpoint-posture[demo]'\n"
    )
