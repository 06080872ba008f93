"""Evidence and advice for the steps of a path to a central endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from posture.analysis.central.answers import CentralStep, NameOutcome, StepKind, StepStatus
from posture.analysis.identity import cache_by_identity
from posture.model.service_names import short_name
from posture.model.verdict import Evidence, Remediation
from posture.rules.central.use import Break, CentralUse
from posture.rules.contexts import VpcContext
from posture.rules.evidence import join_names
from posture.rules.remediation import build_remediation
from posture.rules.result import RuleResult, failed, undecided

MOST_AFFECTED = 4  # names or subnets that a summary lists

ADVICE: Mapping[StepKind, str] = {
    StepKind.DNS_SERVERS: "Enable both DNS attributes of the VPC, and let its hosts ask its own "
    "Route 53 Resolver, or DNS servers that forward the names of AWS services to it.",
    StepKind.NAME: "Associate the VPC with the private hosted zone, Resolver rule or Route 53 "
    "Profile that leads the names to the central endpoint.",
    StepKind.ENDPOINT: "Repair the central endpoint, or let the names lead to another one.",
    StepKind.ROUTE: "Route the addresses of the central endpoint to the transit gateway, core "
    "network or peering connection that leads to its VPC.",
    StepKind.PEERING: "Accept or create the peering connection with the VPC of the endpoint.",
    StepKind.ATTACHMENT: "Attach the VPC to the transit gateway with a subnet in each Availability "
    "Zone that has workloads, and associate the attachment with a route table.",
    StepKind.TRANSIT_ROUTE: "Add or propagate the route to the VPC of the endpoint in the route "
    "table that is associated with the VPC's attachment.",
    StepKind.NETWORK_ACL: "Allow requests and return traffic in the network ACL.",
    StepKind.SECURITY_GROUP: "Allow the CIDR blocks of the VPC on the service's port in the "
    "security group of the central endpoint.",
    StepKind.RETURN_ROUTE: "Route the CIDR blocks of the VPC back from the endpoint's subnets, and "
    "in the route table that is associated with the attachment of their VPC.",
    StepKind.POLICY: "Allow principals of the VPC's account in the policy of the central endpoint.",
}
UNKNOWN_ADVICE = "Let the monitor read what is missing"
# Everything was read, and AWS does not say, or does not fix, which of several answers.
AMBIGUOUS_ADVICE = "Remove all but one of what may decide, or let them all lead to the endpoint."


def build_failure(vpc: VpcContext, use: CentralUse, resource: str, summary: str) -> RuleResult:
    """Build the failure of a use, with its steps as evidence."""
    step = use.deciding
    return failed(
        resource=resource,
        summary=summary,
        evidence=tuple(build_evidence(use)),
        propose=lambda: propose_repairs(vpc, use),
        concerns=use.concerns | {vpc.snapshot.vpc.id, resource},
        root=describe_root(step) if step else "",
    )


def build_unknown(vpc: VpcContext, use: CentralUse, resource: str) -> RuleResult:
    """Build the result of a use of which something is not known."""
    step = use.deciding
    missing = step.missing if step else ""
    text = step.text if step else "something could not be read"
    wanted = f"{UNKNOWN_ADVICE}: {missing}." if missing else AMBIGUOUS_ADVICE
    return undecided(
        resource=resource,
        summary=f"whether {vpc.snapshot.vpc.id} reaches {short_name(use.service.name)} by "
        f"{describe_endpoints(use)} is not known: {text}",
        evidence=tuple(build_evidence(use)),
        remediation=Remediation(wanted),
        concerns=use.concerns | {vpc.snapshot.vpc.id},
        root=describe_root(step) if step else "",
    )


def propose_repairs(vpc: VpcContext, use: CentralUse) -> tuple[Remediation, ...]:
    """List what repairs the deciding step and those after it, then a sentence."""
    # Few findings need it, and it needs the edits.
    from posture.rules.remediation.central import propose_central  # noqa: PLC0415

    return (*propose_central(vpc, use), advise(use))


def advise(use: CentralUse) -> Remediation:
    """Return a sentence on what repairs the deciding step."""
    return build_remediation(ADVICE[use.deciding.kind] if use.deciding else "")


def build_evidence(use: CentralUse) -> Iterator[Evidence]:
    """Build the evidence for each step, then for names that clients opt for and that lead past.

    The step that decides comes first, as an alert has no room for a long path.
    """
    for each in sorted(use.steps, key=lambda step: step != use.deciding):
        yield _describe_step(each)
    for source in use.overruled:
        text = f"{source.id} ({source.domain}) is not used: {source.overruled_by} goes first."
        yield Evidence(text, {"resource": source.id, "overruled_by": source.overruled_by})
    if use.broken is Break.RECORD and (text := describe_misnamed(use)):
        zones = ", ".join(each.id for each in use.sources if each.misnamed)
        yield Evidence(f"{text[0].upper()}{text[1:]}.", {"resource": zones})
    for name, text in list_uncovered(use):
        yield Evidence(
            f"Only clients that are configured for it use {name}: {text}.",
            {"name": name, "step": StepKind.NAME.value},
        )


def list_uncovered(use: CentralUse) -> Iterator[tuple[str, str]]:
    """List the names that clients opt for and that lead to no endpoint, and why."""
    for each in use.optional:
        if each.outcome in {NameOutcome.PUBLIC, NameOutcome.NOWHERE}:
            yield each.name, each.why


def describe_root(step: CentralStep) -> str:
    """Describe the root cause, in words that all VPCs share which it affects."""
    owner = f" of account {step.account}" if step.account else ""
    return f"the {step.kind.value} at {step.subject}{owner} breaks paths to central endpoints"


def describe_endpoints(use: CentralUse) -> str:
    """Describe the central endpoints that names lead to, as in `vpce-0a in vpc-1`."""
    if not use.endpoints:
        return "a central endpoint"
    return join_names(f"{name} in {vpc or 'another VPC'}" for name, vpc in use.endpoints.items())


def describe_affected(use: CentralUse, every: Iterable[str] = ()) -> str:
    """Describe the names or subnets that a step concerns; "" if these are all."""
    if set(use.affected) >= set(every) and every:
        return ""
    first, more = use.affected[:MOST_AFFECTED], len(use.affected) - MOST_AFFECTED
    return f"{', '.join(first)} and {more} more" if more > 0 else join_names(first)


def is_decided_by_names(use: CentralUse) -> bool:
    """Return whether a name decides, rather than a path."""
    known = {each.name for each in use.names}
    return bool(use.affected) and known.issuperset(use.affected)


def describe_break(vpc: VpcContext, use: CentralUse) -> str:
    """Describe in a sentence what breaks a use, and for which names or subnets."""
    vpc_id, service = vpc.snapshot.vpc.id, short_name(use.service.name)
    text = use.deciding.text if use.deciding else ""
    if is_decided_by_names(use):
        found = describe_misnamed(use) if use.broken is Break.RECORD else ""
        named = describe_affected(use)
        what = f"only in part an endpoint for {service}"
        what = what if _is_partial(use) else f"no endpoint for {service}"
        return f"{vpc_id} reaches {what} with {named}: {found or text}"
    subnets = describe_affected(use, (each.id for each in vpc.subnets))
    where = f"{service} by {describe_endpoints(use)}"
    if use.status is StepStatus.PARTLY and not subnets:
        return f"{vpc_id} reaches {where} only in part: {text}"
    return f"{subnets or vpc_id} cannot reach {where}: {text}"


def _is_partial(use: CentralUse) -> bool:
    """Return whether a name leads to an endpoint by some of its records only."""
    outcomes = {each.outcome for each in use.names if each.name in use.affected}
    return outcomes == {NameOutcome.PARTLY}


def describe_misnamed(use: CentralUse) -> str:
    """Say that a zone is named after the service rather than after its DNS name.

    It is not what breaks names that another zone covers.
    """
    subject = use.deciding.subject if use.deciding else ""
    if any(each.id == subject and not each.misnamed for each in use.sources):
        return ""
    names = {each.removeprefix("*.") for each in use.service.private_dns_names}
    for each in use.sources:
        if each.misnamed:
            return (
                f"private hosted zone {each.id} leads to the endpoint but is named {each.domain}, "
                f"and clients ask for {join_names(sorted(names))}"
            )
    return ""


@cache_by_identity(4096)  # many services share the steps of a path
def _describe_step(step: CentralStep) -> Evidence:
    record = {
        "step": step.kind.value,
        "status": step.status.value,
        "resource": step.subject,
        "account": step.account,
        "missing": step.missing,
    }
    where = f" (account {step.account})" if step.account else ""
    text = f"{step.kind.value[0].upper()}{step.kind.value[1:]}, {step.status.value}: {step.text}"
    return Evidence(f"{text}{where}.", {name: value for name, value in record.items() if value})
