"""The limit on the work that the security groups and network ACLs of a VPC may take.

Within AWS's quotas a VPC comes nowhere near it, unless its rules are made to be costly. What is
over the limit is not known, and is said to be due to what took most of the work.
https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
"""

from __future__ import annotations

from collections import Counter

# Comparisons of one rule with addresses, some two microseconds each. A network of 100 ACLs of 40
# rules and 200 subnets takes a tenth.
GATE_UNITS = 4_000_000
OVER_LIMIT = "take more work than the limit"


class GateWork:
    """The work on gates that is left of what those of one VPC may take."""

    def __init__(self, units: int = GATE_UNITS) -> None:
        """Allow some units."""
        self._left = units
        self._spent: Counter[str] = Counter()

    def take(self, units: int, whose: str) -> bool:
        """Take units for work on rules; return whether so many are left.

        Args:
            units: Comparisons of rules with addresses, estimated before they are made.
            whose: What has the rules, such as `the 40 entries of acl-1`.
        """
        self._spent[whose] += units
        if units > self._left:
            return False
        self._left -= units
        return True

    @property
    def spent(self) -> int:
        """The units that were taken or refused."""
        return self._spent.total()

    def describe_costly(self) -> str:
        """Describe what could not be determined, and which rules cost most."""
        ((whose, _),) = self._spent.most_common(1)
        return f"the traffic that security groups and network ACLs allow ({whose} {OVER_LIMIT})"
