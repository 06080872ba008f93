"""The changes that a digest counts, read from the history by the commits that it reported."""

from __future__ import annotations

import re

from posture.alerts.digest import split_into_digests
from posture.model.finding import FindingStatus
from posture.model.verdict import Severity
from posture.store.digest_batches import load_commits
from posture.store.items import Entry
from posture_cli.audit.open_tables import OpenTables
from posture_cli.failure import CommandError

NAME = re.compile(rf"(d-[0-9a-f]{{16}})\.({'|'.join(Severity)})\.([1-9]\d{{0,4}})")
EXPECTED = "the name of a digest, as in d-0123456789abcdef.high.1"


def load_digest_rows(opened: OpenTables, name: str) -> list[Entry]:
    """Load the rows of the history that a digest counts, the worst first.

    Args:
        opened: The history and idempotency tables.
        name: The name of the digest, of the form NAME.

    Raises:
        CommandError: The digest is not known, or the history lacks what it counted.
    """
    batch = name.partition(".")[0]
    commits = load_commits(opened.client, opened.tables.idempotency, batch)
    if not commits:
        raise CommandError(
            f"digest {name} is not known: the monitor remembers a digest for 30 days; "
            "list the changes of a time with --since and --until"
        )
    rows = [
        row
        for commit in commits
        for row in opened.history.load_commit(commit.scope, commit.commit)
        if row.transition.finding.status is not FindingStatus.WAIVED  # they are not reported
    ]
    digests = {each.name: each for each in split_into_digests((it.transition for it in rows), {})}
    if name not in digests:
        raise CommandError(
            f"the history does not have what digest {name} counted: posture verify names the rows "
            "that were changed or removed"
        )
    by_transition = {id(row.transition): row for row in rows}
    return [by_transition[id(step)] for step in digests[name].transitions]
