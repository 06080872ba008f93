"""The rule about accounts: the monitor can read what it is responsible for."""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.endpoint_service import ServiceFacet
from posture.model.instant import format_iso
from posture.model.network import Facet
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.contexts import RegionAccessContext
from posture.rules.controls import MONITORING
from posture.rules.result import RuleResult, passed, undecided
from posture.rules.rule import Family, Rule

NOUNS = {Facet.VPC: "VPCs", ServiceFacet.CONFIGURATION: "endpoint services"}


def _access(context: RegionAccessContext) -> Iterator[RuleResult]:
    access = context.snapshot
    account, region = access.scope.account, access.scope.region
    if not access.unreadable:
        yield passed(account, f"account {account} can be read in {region}")
        return
    nouns = " and ".join(noun for facet, noun in NOUNS.items() if facet in access.unreadable)
    yield undecided(
        resource=account,
        summary=f"The {nouns} of account {account} in {region} could not be read since "
        f"{format_iso(access.since)}: what was created or changed since then is not evaluated",
        evidence=tuple(
            Evidence(f"{facet}: {reason}", {"operation": facet.value, "reason": reason})
            for facet, reason in sorted(access.unreadable.items())
        ),
        remediation=Remediation(
            "Check that the monitor's role exists in the account, that its trust policy allows the "
            "monitor, and that no policy, such as a service control policy, denies the calls. "
            "Where EC2 throttles them, find in CloudTrail what else calls EC2 so often."
        ),
    )


RULES: tuple[Rule[RegionAccessContext], ...] = (
    Rule(
        id="account-region-not-readable",
        title="Account cannot be read in a Region",
        requirement="The monitor can list the VPCs and endpoint services of each account",
        family=Family.ACCOUNTS,
        severity=Severity.HIGH,
        rationale=(
            "Nothing that is created or changed in the account and Region is evaluated, and no "
            "finding of it is resolved, until the monitor can read it again."
        ),
        remediation="Restore the monitor's access to the account.",
        evaluate=_access,
        reads=frozenset((Facet.VPC, ServiceFacet.CONFIGURATION)),
        controls=MONITORING,
        references=(
            "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_roles.html",
            "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html",
        ),
    ),
)
