"""Install the peers, each in a virtual environment of its own under .peers/; `make compare` does.

Run: `python3 benchmarks/peers/install.py`; what is installed already is left as it is. Development
only: nothing of the project needs them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).parent.parent.parent / ".peers"
BEAT = 15  # seconds between two signs of life
TAIL = 12  # lines of a log that tell why


@dataclass(frozen=True)
class Peer:
    """A tool as PyPI has it, and the Pythons that this version of it says it runs on."""

    name: str
    folder: str
    package: str
    version: str
    oldest: tuple[int, int]
    newest: tuple[int, int] | None = None
    size: str = ""

    def misfit(self, python: tuple[int, int]) -> str:
        """Say why a Python does not do; nothing where it does."""
        if self.oldest <= python and (self.newest is None or python <= self.newest):
            return ""
        span = f"{_dotted(self.oldest)} to {_dotted(self.newest)}" if self.newest else (
            f"{_dotted(self.oldest)} or newer"
        )  # fmt: skip
        return (
            f"{self.name} {self.version} needs Python {span}, and this is {_dotted(python)}: "
            f"make compare PEERS_PYTHON=python{_dotted(self.newest or self.oldest)}"
        )


ALL = (
    Peer("Prowler", "prowler", "prowler", "5.46.0", (3, 10), (3, 13), "2 GB"),
    Peer("Cloud Custodian", "custodian", "c7n", "0.9.53", (3, 10), size="0.1 GB"),
)


def install(peer: Peer, folder: Path = PEERS) -> None:
    """Install a peer, unless this version is there already, and tell how far it is.

    Raises:
        SystemExit: it cannot be installed; the text says why and what to do.
    """
    home, log = folder / peer.folder, folder / f"{peer.folder}.log"
    ready = home / f"ready-{peer.version}"  # the last thing to be made
    if ready.exists():
        return
    shutil.rmtree(home, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    say(f"{peer.name} {peer.version}: installing, {peer.size} on disk")
    started = time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        _run([sys.executable, "-m", "venv", str(home)], log, file, "python3-venv is missing?")
        _run(
            [
                *(str(home / "bin/python"), "-m", "pip", "install", "--no-input"),
                *("--disable-pip-version-check", "--progress-bar", "off"),
                f"{peer.package}=={peer.version}",
            ],
            log,
            file,
            "can the package index be reached?",
        )
    ready.touch()
    say(f"{peer.name} {peer.version}: installed in {time.monotonic() - started:.0f} s")


def _run(command: list[str], log: Path, file: object, hint: str) -> None:
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)  # type: ignore[call-overload]  # noqa: S603
    while True:
        try:
            code = process.wait(BEAT)
            break
        except subprocess.TimeoutExpired:
            say(f"  {time.monotonic() - started:.0f} s, {_stage(log)}")
    if code:
        told = "\n".join(f"  {line}" for line in log.read_text().splitlines()[-TAIL:])
        raise SystemExit(f"{' '.join(command)}\nfailed ({hint}), the end of {log}:\n{told}")


def _stage(log: Path) -> str:
    told = log.read_text(encoding="utf-8")
    found = told.count("\nCollecting ")
    unpacking = "\nInstalling collected packages" in told
    return f"unpacking {found} packages" if unpacking else f"{found} packages found"


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Install both, or say what is in the way before anything is fetched."""
    misfits = [told for peer in ALL if (told := peer.misfit(sys.version_info[:2]))]
    if misfits:
        raise SystemExit("\n".join(misfits))
    for peer in ALL:
        install(peer)


if __name__ == "__main__":
    main()
