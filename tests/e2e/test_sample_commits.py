"""The sample records of the findings' stream, in a world where nothing was told yet."""

import re

from posture_cli.demo.sample_environment import SampleEnvironment
from posture_cli.embedded.aws import EmbeddedAws
from sample_events import EXPECTED, failures, read
from stack_template import PATH


def test_a_commit_is_told_once_whichever_record_came_first() -> None:
    """Seven records of two commits, two of them again: two alerts, the opened and the resolved."""
    with EmbeddedAws(PATH.parent) as aws:
        SampleEnvironment(aws).build()
        function = aws.functions[aws.stack.physical_id("NotifyFunction")]
        for name in ("notify/opened", "notify/duplicate", "notify/resolved", "notify/opened"):
            assert not failures(function(read(name)))
        subjects = [alert.subject for alert in aws.mailbox.collect()]
    expected = [EXPECTED[name].alert for name in ("notify/opened", "notify/resolved")]
    assert len(subjects) == len(expected)
    assert all(map(re.fullmatch, expected, subjects))
