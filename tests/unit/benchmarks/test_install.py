"""Installing the peers of the comparison: a Python that does not do is told before anything."""

from benchmark_modules import benchmark

install = benchmark("peers/install.py")
PEER = install.Peer("Tool", "tool", "tool", "1.2", (3, 10), (3, 13))


def test_a_python_within_the_span_does() -> None:
    """The oldest and the newest version that a tool says it runs on are within."""
    assert [PEER.misfit(version) for version in ((3, 10), (3, 13))] == ["", ""]


def test_a_newer_python_is_told_with_what_to_do() -> None:
    """The sentence names the tool, the span, what is there, and the command that does."""
    assert PEER.misfit((3, 14)) == (
        "Tool 1.2 needs Python 3.10 to 3.13, and this is 3.14: make compare PEERS_PYTHON=python3.13"
    )


def test_an_open_span_has_no_newest() -> None:
    """A tool that names no newest version runs on any newer one."""
    peer = install.Peer("Tool", "tool", "tool", "1.2", (3, 10))

    assert not peer.misfit((3, 99))
    assert peer.misfit((3, 9)) == (
        "Tool 1.2 needs Python 3.10 or newer, and this is 3.9: make compare PEERS_PYTHON=python3.10"
    )
