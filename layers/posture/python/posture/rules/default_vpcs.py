"""The rule about default VPCs that nothing uses."""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.network import Facet
from posture.model.verdict import Evidence, Remediation, Severity
from posture.rules.contexts import VpcContext
from posture.rules.controls import UNNEEDED
from posture.rules.result import RuleResult, failed, not_applicable, passed, undecided
from posture.rules.rule import Family, Rule

GUIDE = "https://docs.aws.amazon.com/vpc/latest/userguide/work-with-default-vpc.html"


def _unused(vpc: VpcContext) -> Iterator[RuleResult]:
    network = vpc.snapshot.vpc
    if not network.default:
        return
    if vpc.endpoints or vpc.snapshot.nat_gateways or network.has_interfaces:
        yield passed(network.id, f"{network.id} is the default VPC and is used")
    elif network.has_interfaces is None:
        yield undecided(
            resource=network.id,
            summary=f"{network.id} is the default VPC; whether it is used is not known",
            remediation=Remediation("Allow ec2:DescribeNetworkInterfaces for the monitor's role."),
        )
    elif not vpc.is_unused_default:
        yield not_applicable(network.id, f"{network.id} is evaluated by all other rules")
    else:
        yield _failure(network.id, len(vpc.snapshot.subnets))


def _failure(vpc_id: str, subnets: int) -> RuleResult:
    return failed(
        resource=vpc_id,
        summary=f"{vpc_id} is a default VPC that has no network interface",
        evidence=(
            Evidence(
                f"DescribeNetworkInterfaces returns no network interface of {vpc_id}, which has "
                f"{subnets} subnets. Other rules do not evaluate it until it has one.",
                {"vpc": vpc_id, "network_interfaces": "0", "subnets": str(subnets)},
            ),
        ),
    )


RULES: tuple[Rule[VpcContext], ...] = (
    Rule(
        id="default-vpc-unused",
        title="Default VPC is unused",
        requirement="Regions have no default VPC that nothing uses",
        family=Family.PATHS,
        severity=Severity.LOW,
        rationale=(
            "The subnets of a default VPC have a route to an internet gateway and no endpoints, "
            "and a workload that is launched without a choice of VPC gets one of them. As long "
            "as no network interface is in it, this finding stands for those of all other rules, "
            "unless the baseline sets evaluate_unused_default_vpcs."
        ),
        remediation=(
            "Delete the default VPC, or add a waiver. If a VPC is needed, CreateDefaultVpc creates "
            "another one."
        ),
        evaluate=_unused,
        reads=frozenset({Facet.VPC, Facet.ENDPOINTS, Facet.NAT_GATEWAYS}),
        controls=UNNEEDED,
        references=(GUIDE,),
    ),
)
