"""The questions, and the part of each tool that answers them.

Only questions that at least one peer can answer. Security Hub cannot run on an emulator: its
controls answer by their documentation.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PeerQuestion:
    """A question, and what answers it.

    Attributes:
        rules: ours; a failure of any of them is a yes.
        policy: the name of Custodian's policy in custodian.yml; empty where it has none.
        checks: Prowler's; empty where it has none.
        control: Security Hub's.
        service: for rules that answer per service, the service's short name.
        possible: whether it asks what may be, so that our unknown finding is a yes.
    """

    rules: tuple[str, ...]
    policy: str = ""
    checks: tuple[str, ...] = ()
    control: str = ""
    service: str = ""
    possible: bool = False


FULL_ACCESS = "endpoint-policy-allows-full-access"
MISSING = ("required-service-without-endpoint",)

QUESTIONS = {
    "allows untrusted principals": PeerQuestion(
        # A policy with full access is reported as such, not for untrusted principals as well.
        ("endpoint-policy-allows-untrusted-principal", FULL_ACCESS),
        "untrusted",
        ("vpc_endpoint_connections_trust_boundaries",),
    ),
    "allows full access": PeerQuestion((FULL_ACCESS,), "full-access"),
    "allows untrusted resources": PeerQuestion(
        ("endpoint-policy-allows-untrusted-resource", FULL_ACCESS), "resources"
    ),
    "single Availability Zone": PeerQuestion(
        ("endpoint-single-availability-zone",), "zones", ("vpc_endpoint_multi_az_enabled",)
    ),
    "VPC without an endpoint for ec2": PeerQuestion(
        MISSING, "ec2", ("vpc_endpoint_for_ec2_enabled",), control="EC2.10", service="ec2"
    ),
    "VPC without an endpoint for ssm": PeerQuestion(
        MISSING, "ssm", control="EC2.57", service="ssm"
    ),
    "not available": PeerQuestion(("endpoint-not-available",), "not-available"),
    "private DNS disabled": PeerQuestion(("endpoint-private-dns-disabled",), "private-dns"),
    "private DNS ineffective": PeerQuestion(("endpoint-private-dns-ineffective",), "attributes"),
    "security group open to any address": PeerQuestion(
        ("endpoint-security-group-open",),
        "groups",
        (
            "ec2_securitygroup_allow_ingress_from_internet_to_any_port",
            "ec2_securitygroup_allow_ingress_from_internet_to_all_ports",
        ),
    ),
    "default security group": PeerQuestion(("endpoint-default-security-group",), "default-group"),
    "service allows untrusted principals": PeerQuestion(
        ("endpoint-service-allows-untrusted-principal",),
        checks=("vpc_endpoint_services_allowed_principals_trust_boundaries",),
    ),
    "service does not require acceptance": PeerQuestion(
        ("endpoint-service-acceptance-not-required",), "acceptance"
    ),
    "traffic to S3 or DynamoDB may leave past gateway endpoints": PeerQuestion(
        ("gateway-service-bypasses-endpoint", "gateway-service-uses-other-network"),
        "past-endpoints",
        possible=True,
    ),
    "network ACL blocks S3 or DynamoDB at its gateway endpoint": PeerQuestion(
        ("gateway-endpoint-blocked-by-network-acl",), "acls"
    ),
}
