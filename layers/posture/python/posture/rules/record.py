"""The rule about the record itself, whose findings come from the changes between observations.

No snapshot shows them: `posture.attribution.transients` finds them.
"""

from __future__ import annotations

from posture.model.verdict import Severity
from posture.rules.contexts import RegionAccessContext
from posture.rules.rule import Family, Rule

EVENT_HISTORY = (
    "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html"
)

CHANGES_NOT_FOLLOWED: Rule[RegionAccessContext] = Rule(
    id="changes-not-followed",
    title="Changes were not followed one by one",
    requirement="The monitor follows every change between two observations of a VPC",
    family=Family.ACCOUNTS,
    severity=Severity.LOW,
    rationale=(
        "So many changes were made between two observations that only the latest were followed. "
        "What the earlier ones opened, and others put back, is not in the history."
    ),
    remediation="Look for the changes of this time in CloudTrail.",
    evaluate=lambda _: (),
    reads=frozenset(),
    references=(EVENT_HISTORY,),
)
RULES: tuple[Rule[RegionAccessContext], ...] = (CHANGES_NOT_FOLLOWED,)
