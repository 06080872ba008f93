"""Installing the peers of the comparison: an unsupported Python is reported first."""

from benchmark_modules import load_benchmark

install = load_benchmark("peers/install.py")
PEER = install.Peer("Tool", "tool", "tool", "1.2", (3, 10), (3, 13))


def test_the_supported_versions_include_both_ends() -> None:
    """The oldest and the newest version are supported."""
    assert [PEER.explain_misfit(version) for version in ((3, 10), (3, 13))] == ["", ""]


def test_a_newer_python_is_reported_with_the_remedy() -> None:
    """The sentence names the tool, its versions, the version found, and the command to use."""
    assert PEER.explain_misfit((3, 14)) == (
        "Tool 1.2 needs Python 3.10 to 3.13, and this is 3.14: make compare PEERS_PYTHON=python3.13"
    )


def test_without_a_newest_version_any_newer_one_is_supported() -> None:
    """Only the oldest version limits it."""
    peer = install.Peer("Tool", "tool", "tool", "1.2", (3, 10))

    assert not peer.explain_misfit((3, 99))
    assert peer.explain_misfit((3, 9)) == (
        "Tool 1.2 needs Python 3.10 or newer, and this is 3.9: make compare PEERS_PYTHON=python3.10"
    )
