"""Install the peers, each in a virtual environment of its own under .peers/; `make compare` does.

Run: `python3 benchmarks/peers/install.py`; an installed version is kept. For comparison only: the
project needs none of them.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parents[2] / ".peers"


@dataclass(frozen=True)
class Peer:
    """A tool on PyPI, and the Python versions that it supports."""

    name: str
    folder: str
    package: str
    version: str
    oldest: tuple[int, int]
    newest: tuple[int, int] | None = None
    size: str = ""

    def explain_misfit(self, python: tuple[int, int]) -> str:
        """Return why a Python version is not supported; empty if it is."""
        if self.oldest <= python and (self.newest is None or python <= self.newest):
            return ""
        until = f"to {_dotted(self.newest)}" if self.newest else "or newer"
        return (
            f"{self.name} {self.version} needs Python {_dotted(self.oldest)} {until}, and this is "
            f"{_dotted(python)}: make compare "
            f"PEERS_PYTHON=python{_dotted(self.newest or self.oldest)}"
        )


ALL = (
    Peer("Prowler", "prowler", "prowler", "5.46.0", (3, 10), (3, 13), "2 GB"),
    Peer("Cloud Custodian", "custodian", "c7n", "0.9.53", (3, 10), size="0.1 GB"),
)


def install(peer: Peer, folder: Path = PEERS) -> None:
    """Install a peer, unless this version is installed; pip prints its progress.

    Raises:
        SystemExit: a command failed; the text names it.
    """
    home = folder / peer.folder
    ready = home / f"ready-{peer.version}"  # created last
    if ready.exists():
        return
    shutil.rmtree(home, ignore_errors=True)
    print(f"{peer.name} {peer.version}: installing, {peer.size} on disk", file=sys.stderr)
    pip = [str(home / "bin/python"), "-m", "pip", "install", "--no-input"]
    for command, hint in (
        ([sys.executable, "-m", "venv", str(home)], "is python3-venv installed?"),
        ([*pip, f"{peer.package}=={peer.version}"], "is the package index reachable?"),
    ):
        _run(command, hint)
    ready.touch()


def install_monitor(folder: Path = PEERS) -> None:
    """Install this project as it is now, alone: the libraries of the tests slow its imports.

    What measures it calls this first, so that no older copy is measured.
    """
    ready = folder / "posture/bin/python"
    if not ready.exists():
        _run([sys.executable, "-m", "venv", str(folder / "posture")], "is python3-venv installed?")
    pip = [str(ready), "-m", "pip", "install", "--no-input", "--quiet"]
    again = ["--force-reinstall", "--no-deps", str(PEERS.parent)]
    for what in ([str(PEERS.parent)], again):  # its libraries are kept, its own code is not
        _run([*pip, *what], "is the package index reachable?")


def _run(command: list[str], hint: str) -> None:
    """Run a command; pip prints its progress.

    Raises:
        SystemExit: it failed; the text names it.
    """
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:  # noqa: S603
        raise SystemExit(f"{' '.join(command)}\nfailed: {hint}")


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def main() -> None:
    """Install both; an unsupported Python is reported before any download."""
    misfits = [why for peer in ALL if (why := peer.explain_misfit(sys.version_info[:2]))]
    if misfits:
        raise SystemExit("\n".join(misfits))
    for peer in ALL:
        install(peer)


if __name__ == "__main__":
    main()
