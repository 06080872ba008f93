"""The command as a process: a closed pipe, an address in use, a malformed region."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("posture")
POLICY = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Write a policy that allows full access."""
    file = tmp_path / "policy.json"
    file.write_text(POLICY, encoding="utf-8")
    return file


@pytest.mark.parametrize("arguments", ["rules -o json", "rules -o csv", "policy check {policy}"])
def test_nobody_reads(arguments: str, policy: Path) -> None:
    """It ends silently with the exit code of a broken pipe, which is not that of a scan."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(  # noqa: S603 - the command under test
        [COMMAND, *arguments.format(policy=policy).split()],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_an_answer_that_is_read_ends_as_documented(policy: Path) -> None:
    """The same policy has a yes."""
    ended = subprocess.run(  # noqa: S603 - the command under test
        [COMMAND, "policy", "check", policy], capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_an_address_that_is_taken() -> None:
    """The emulator names it and ends, instead of waiting for a server that never was."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(  # noqa: S603 - the command under test
            [COMMAND, "emulate", "--port", str(port)], capture_output=True, check=False, timeout=120
        )
    assert ended.returncode == 2
    assert f"posture: 127.0.0.1:{port}: Address already in use" in ended.stderr.decode()


@pytest.mark.parametrize(
    "command", ["scan", "coverage --stack posture", "findings", "report --html x"]
)
def test_a_region_of_no_region_s_form(command: str) -> None:
    """It is refused before anything is asked."""
    ended = subprocess.run(  # noqa: S603 - the command under test
        [COMMAND, *command.split(), "--region", "europe"], capture_output=True, check=False
    )
    assert ended.returncode == 2
    assert "'europe' is not a Region, as in eu-west-1" in ended.stderr.decode()
