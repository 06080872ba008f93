"""What the tools are asked, and which part of each of them answers.

Only what at least one peer can be asked is here. Security Hub cannot be run on an emulator: its
controls are named where it has one, and answer by their documentation.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question, and who answers it.

    Attributes:
        rules: ours; a failure of any of them is a yes.
        checks: Prowler's; empty where it has none.
        policy: the name of Custodian's, in custodian.yml.
        control: Security Hub's.
        service: for rules that answer by service, the service's short name.
    """

    rules: tuple[str, ...]
    checks: tuple[str, ...] = ()
    policy: str = ""
    control: str = ""
    service: str = ""


QUESTIONS = {
    "strangers get in": Question(
        # Who lets in everybody for everything is told so, and not of strangers besides.
        rules=("endpoint-policy-allows-untrusted-principal", "endpoint-policy-allows-full-access"),
        checks=("vpc_endpoint_connections_trust_boundaries",),
        policy="strangers",
    ),
    "everything gets through": Question(
        rules=("endpoint-policy-allows-full-access",), policy="everything"
    ),
    "stands in one zone": Question(
        rules=("endpoint-single-availability-zone",),
        checks=("vpc_endpoint_multi_az_enabled",),
        policy="zones",
    ),
    "VPC lacks an endpoint of ec2": Question(
        rules=("required-service-without-endpoint",),
        checks=("vpc_endpoint_for_ec2_enabled",),
        policy="ec2",
        control="EC2.10",
        service="ec2",
    ),
    "VPC lacks an endpoint of ssm": Question(
        rules=("required-service-without-endpoint",), policy="ssm", control="EC2.57", service="ssm"
    ),
    "does not work": Question(rules=("endpoint-not-available",), policy="broken"),
    "names lead past the endpoint": Question(
        rules=("endpoint-private-dns-disabled",), policy="names"
    ),
    "private DNS has no effect": Question(
        rules=("endpoint-private-dns-ineffective",), policy="attributes"
    ),
    "group admits everybody": Question(
        rules=("endpoint-security-group-open",),
        checks=(
            "ec2_securitygroup_allow_ingress_from_internet_to_any_port",
            "ec2_securitygroup_allow_ingress_from_internet_to_all_ports",
        ),
        policy="groups",
    ),
    "has the VPC's default group": Question(
        rules=("endpoint-default-security-group",), policy="default"
    ),
    "strangers may connect to a service": Question(
        rules=("endpoint-service-allows-untrusted-principal",),
        checks=("vpc_endpoint_services_allowed_principals_trust_boundaries",),
    ),
    "a service accepts by itself": Question(
        rules=("endpoint-service-acceptance-not-required",), policy="acceptance"
    ),
}
