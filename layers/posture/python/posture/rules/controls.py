"""The controls of published frameworks that rules help to show, each with its text and its source.

A rule is mapped to a control only where a published text gives the line: the control's own words
ask for what the rule checks, or AWS Security Hub relates its own check of the same fact to it. A
rule about availability or costs that no text names has no control. The CIS AWS Foundations
Benchmark is not among them: none of its recommendations is about endpoints
(https://docs.aws.amazon.com/securityhub/latest/userguide/cis-aws-foundations-benchmark.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from posture.lean_dataclass import dataclass
from posture.model.service_names import short_name

SECURITY_HUB = "Security Hub"
NIST = "NIST SP 800-53 r5"
NIST_171 = "NIST SP 800-171 r2"
FEDRAMP = "FedRAMP Moderate"
PCI = "PCI DSS 4.0.1"
HIPAA = "HIPAA Security Rule"
SOC2 = "SOC 2"
ISO = "ISO/IEC 27001:2022"
NIS2 = "NIS2"
DORA = "DORA"

EC2_CONTROLS = "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html"
SOURCES = {
    SECURITY_HUB: EC2_CONTROLS,
    NIST: "https://csrc.nist.gov/pubs/sp/800/53/r5/upd1/final",
    NIST_171: EC2_CONTROLS,
    FEDRAMP: "https://raw.githubusercontent.com/OSCAL-Foundation/fedramp-resources/main/"
    "baselines/rev5/json/FedRAMP_rev5_MODERATE-baseline_profile.json",
    PCI: "https://www.pcisecuritystandards.org/document_library/",
    HIPAA: "https://www.ecfr.gov/current/title-45/section-164.312",
    SOC2: "https://www.aicpa-cima.com/resources/download/"
    "2017-trust-services-criteria-with-revised-points-of-focus-2022",
    ISO: "https://www.iso.org/standard/27001",
    NIS2: "https://eur-lex.europa.eu/eli/reg_impl/2024/2690/oj",  # its Annex
    DORA: "https://eur-lex.europa.eu/eli/reg_del/2024/1774/oj",  # on ICT risk management
}


@dataclass(frozen=True, slots=True, order=True)
class Control:
    """A control of a published framework.

    Attributes:
        framework: The name of the framework, with its version.
        id: The number of the control in it.
        text: The words of the control that a rule helps to show.
        source: The page that gives the line.
    """

    framework: str
    id: str
    text: str = field(default="", compare=False)
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.framework} {self.id}"


ServiceControls = Mapping[str, tuple[Control, ...]]  # by the short name of an AWS service


class HasControls(Protocol):
    """A rule, or what alerts know of it."""

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls that each result of the rule concerns."""
        ...

    @property
    def service_controls(self) -> ServiceControls:
        """The further controls that a result about one AWS service concerns."""
        ...


def list_controls(rule: HasControls, resource: str) -> tuple[Control, ...]:
    """List the controls that a rule's result for a resource concerns, each once."""
    further = rule.service_controls.get(short_name(resource), ())
    return tuple(dict.fromkeys((*rule.controls, *further)))


def _controls(framework: str, text: str, *ids: str) -> tuple[Control, ...]:
    return tuple(Control(framework, each, text, SOURCES[framework]) for each in ids)


# Statements of NIST SP 800-53 r5, of which FedRAMP's Moderate baseline selects some.
NIST_TEXTS = {
    "AC-3": "Enforce approved authorizations for logical access to information and system "
    "resources in accordance with applicable access control policies.",
    "AC-4": "Enforce approved authorizations for controlling the flow of information within the "
    "system and between connected systems.",
    "AC-6": "Employ the principle of least privilege, allowing only authorized accesses that are "
    "necessary to accomplish assigned organizational tasks.",
    "CA-7": "Develop a system-level continuous monitoring strategy and implement continuous "
    "monitoring.",
    "CM-7": "Configure the system to provide only mission essential capabilities.",
    "SC-7": "Connect to external networks or systems only through managed interfaces consisting "
    "of boundary protection devices.",
    "SC-7(3)": "Limit the number of external network connections to the system.",
    "SC-7(5)": "Deny network communications traffic by default and allow network communications "
    "traffic by exception.",
}
# Of the controls above and below, those that the baseline selects.
FEDRAMP_IDS = frozenset(
    {"AC-3", "AC-4", "AC-4(21)", "AC-6", "AC-21", "CA-7", "CM-7"}
    | {"SC-7", "SC-7(3)", "SC-7(4)", "SC-7(5)"}
)


def _nist(*ids: str) -> tuple[Control, ...]:
    controls = (
        Control(framework, each, NIST_TEXTS[each], SOURCES[framework])
        for framework in (NIST, FEDRAMP)
        for each in ids
        if framework == NIST or each in FEDRAMP_IDS
    )
    return tuple(controls)


# Traffic flows only where it is meant to.
FLOW = _nist("AC-4")
# It takes the managed, private path.
PRIVATE_PATH = _nist("SC-7", "AC-4")
# Nothing leaves to where it was not allowed to.
OUTBOUND = (
    *PRIVATE_PATH,
    *_controls(
        PCI,
        "Outbound traffic from the CDE is restricted to only traffic that is necessary. All other "
        "traffic is specifically denied.",
        "1.3.2",
    ),
    *_controls(
        HIPAA,
        "Implement technical security measures to guard against unauthorized access to electronic "
        "protected health information that is being transmitted over an electronic "
        "communications network.",
        "164.312(e)(1)",
    ),
    *_controls(
        SOC2,
        "The entity restricts the transmission, movement, and removal of information to "
        "authorized internal and external users and processes.",
        "CC6.7",
    ),
    *_controls(
        ISO,
        "Networks and network devices shall be secured, managed and controlled to protect "
        "information in systems and applications.",
        "A.8.20",
    ),
    *_controls(
        DORA,
        "The securing of network traffic between the internal networks and the internet and "
        "other external connections.",
        "RTS Article 13(g)",
    ),
)
# And it is apart from other traffic.
BOUNDARY = (
    *OUTBOUND,
    *_controls(
        NIS2,
        "Establish communication between distinct systems only through trusted channels that are "
        "isolated using logical, cryptographic or physical separation from other communication "
        "channels.",
        "Annex 6.7.2(i)",
    ),
)
# Only wanted traffic enters.
INBOUND = (
    *_nist("SC-7(5)", "AC-4"),
    *_controls(
        PCI,
        "Inbound traffic to the CDE is restricted to only traffic that is necessary. All other "
        "traffic is specifically denied.",
        "1.3.1",
    ),
    *_controls(
        SOC2,
        "The entity implements logical access security measures to protect against threats from "
        "sources outside its system boundaries.",
        "CC6.6",
    ),
    *_controls(
        NIS2,
        "Determine and apply controls to protect the relevant entities' internal network domains "
        "from unauthorised access.",
        "Annex 6.7.2(b)",
    ),
)
# The default security group's rules were not chosen for the endpoint. Security Hub relates its
# check of that group to the same enhancement (EC2.2).
CHOSEN_GROUP = _nist("SC-7(5)")
# Only those who need access have it, and only the access that they need.
ACCESS = (
    *_nist("AC-3", "AC-6"),
    *_controls(
        HIPAA,
        "Allow access only to those persons or software programs that have been granted access "
        "rights.",
        "164.312(a)(1)",
    ),
    *_controls(
        SOC2,
        "The entity implements logical access security software, infrastructure, and "
        "architectures over protected information assets.",
        "CC6.1",
    ),
    *_controls(
        ISO,
        "Access to information and other associated assets shall be restricted in accordance with "
        "the established topic-specific policy on access control.",
        "A.8.3",
    ),
    *_controls(
        NIS2,
        "Configure controls to prevent accesses not required for the operation of the relevant "
        "entities.",
        "Annex 6.7.2(c)",
    ),
)
# Nothing is allowed that was not allowed on purpose.
DEFAULT_DENY = (
    *ACCESS,
    *_controls(PCI, 'The access control system is set to "deny all" by default.', "7.3.3"),
)
# What no workload needs is not there.
UNNEEDED = (
    *_nist("SC-7(3)", "CM-7"),
    *_controls(
        NIS2, "Explicitly forbid or deactivate unneeded connections and services.", "Annex 6.7.2(f)"
    ),
)
# What serves availability has a second place.
REDUNDANCY = _controls(
    ISO,
    "Information processing facilities shall be implemented with redundancy sufficient to meet "
    "availability requirements.",
    "A.8.14",
)
# What is monitored is monitored completely.
MONITORING = (
    *_nist("CA-7"),
    *_controls(
        PCI,
        "Failures of critical security control systems are detected, alerted, and addressed "
        "promptly, including change-detection mechanisms.",
        "10.7.2",
    ),
    *_controls(
        SOC2,
        "The entity uses detection and monitoring procedures to identify changes to "
        "configurations that result in the introduction of new vulnerabilities.",
        "CC7.1",
    ),
)

# What Security Hub's page relates to each of its controls below, as "Related requirements".
RELATED_TEXT = "Security Hub relates its controls about VPC endpoints to this one."
RELATED = (
    *("AC-21", "AC-3", "AC-3(7)", "AC-4", "AC-4(21)", "AC-6", "SC-7", "SC-7(11)", "SC-7(16)"),
    *("SC-7(20)", "SC-7(21)", "SC-7(3)", "SC-7(4)"),
)
RELATED_171 = {"ec2": ("3.1.3", "3.13.1")}
# Each asks for an endpoint of one service in every VPC, by its name: the number, and the title.
INTERFACE = "VPCs should be configured with an interface endpoint for"
ENDPOINT_CONTROLS = {
    "ec2": (10, "Amazon EC2 should be configured to use VPC endpoints"),
    "ecr.api": (55, f"{INTERFACE} ECR API"),
    "ecr.dkr": (56, f"{INTERFACE} Docker Registry"),
    "ssm": (57, f"{INTERFACE} Systems Manager"),
    "ssm-contacts": (58, f"{INTERFACE} Systems Manager Incident Manager Contacts"),
    "ssm-incidents": (60, f"{INTERFACE} Systems Manager Incident Manager"),
}


def _list_related(service: str) -> tuple[Control, ...]:
    ids = [(NIST, each) for each in RELATED]
    ids += [(FEDRAMP, each) for each in RELATED if each in FEDRAMP_IDS]
    ids += [(NIST_171, each) for each in RELATED_171.get(service, ())]
    return tuple(Control(*each, RELATED_TEXT, EC2_CONTROLS) for each in ids)


PRESENCE: ServiceControls = {
    service: (
        Control(SECURITY_HUB, f"EC2.{number}", f"{title}.", f"{EC2_CONTROLS}#ec2-{number}"),
        *_list_related(service),
    )
    for service, (number, title) in ENDPOINT_CONTROLS.items()
}
