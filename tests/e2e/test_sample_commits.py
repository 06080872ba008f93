"""The sample stream records, in an environment without sent alerts."""

import re

from posture_cli.demo.sample_environment import SampleEnvironment
from posture_cli.embedded.aws import EmbeddedAws
from sample_events import EXPECTED, failed_ids, read_event
from stack_template import PATH


def test_a_commit_is_reported_once_whichever_record_comes_first() -> None:
    """Records of two commits, some of them repeated, cause two alerts."""
    with EmbeddedAws(PATH.parent) as aws:
        SampleEnvironment(aws).build()
        function = aws.functions[aws.stack.physical_id("NotifyFunction")]
        for name in ("notify/opened", "notify/duplicate", "notify/resolved", "notify/opened"):
            assert not failed_ids(function(read_event(name)))
        subjects = [alert.subject for alert in aws.mailbox.collect()]
    expected = [EXPECTED[name].alert for name in ("notify/opened", "notify/resolved")]
    assert len(subjects) == len(expected)
    assert all(map(re.fullmatch, expected, subjects))
