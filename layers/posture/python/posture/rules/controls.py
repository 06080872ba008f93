"""The controls of published frameworks that rules help to show.

NIST SP 800-53 r5: https://csrc.nist.gov/pubs/sp/800/53/r5/upd1/final
PCI DSS 4.0.1: https://www.pcisecuritystandards.org/document_library/
Security Hub: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html
"""

from __future__ import annotations

from dataclasses import dataclass

NIST = "NIST SP 800-53 r5"
PCI = "PCI DSS 4.0.1"
HUB = "Security Hub"


@dataclass(frozen=True, slots=True)
class Control:
    """A control of a published framework that this rule helps to show."""

    framework: str  # "Security Hub", "NIST SP 800-53 r5", "PCI DSS 4.0.1"
    id: str


# Boundary protection: traffic passes managed interfaces only, denied by default.
BOUNDARY = (Control(NIST, "SC-7"), Control(NIST, "AC-4"), Control(PCI, "1.3.2"))
# Allowed traffic is limited to what is needed.
LEAST_PATH = (Control(NIST, "SC-7"),)
INBOUND = (Control(NIST, "SC-7(5)"), Control(NIST, "AC-4"), Control(PCI, "1.3.1"))
ACCESS = (Control(NIST, "AC-3"), Control(NIST, "AC-6"), Control(PCI, "7.2.1"))
# What is monitored is monitored completely.
MONITORING = (Control(NIST, "CA-7"), Control(NIST, "SI-4"), Control(PCI, "10.7.2"))
AVAILABILITY = (Control(NIST, "SC-36"), Control(NIST, "CP-10"))
# Each asks for an endpoint of one service in every VPC.
PRESENCE = (
    Control(HUB, "EC2.10"),
    Control(HUB, "EC2.55"),
    Control(HUB, "EC2.56"),
    Control(HUB, "EC2.57"),
    Control(HUB, "EC2.58"),
    Control(HUB, "EC2.60"),
    Control(NIST, "SC-7"),
    Control(NIST, "AC-4"),
)
