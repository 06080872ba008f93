"""Rules about endpoints that are network interfaces in subnets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from posture.analysis.openness import Admission, openness
from posture.analysis.services import service_of, short_name
from posture.analysis.words import ways
from posture.model.network import (
    Endpoint,
    EndpointType,
    Facet,
    SecurityGroup,
    SecurityGroupRule,
    Service,
    Subnet,
)
from posture.model.verdict import Evidence, Remediation, Severity, Status
from posture.rules.controls import AVAILABILITY, BOUNDARY, INBOUND
from posture.rules.facts import listed, rule_fact
from posture.rules.prices import interface_hours
from posture.rules.rule import Family, Judgement, Rule, VpcCase

# Endpoints whose interfaces have security groups; those of Gateway Load Balancers have none.
GROUPED = (EndpointType.INTERFACE, EndpointType.RESOURCE, EndpointType.SERVICE_NETWORK)
DEFAULT = "default"
WORKING = frozenset({"available", "pending"})
IPV6 = 6

CREATE = "https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"
PRIVATE_DNS = "https://docs.aws.amazon.com/vpc/latest/privatelink/privatelink-access-aws-services.html#interface-endpoint-private-dns"
DNS_ATTRIBUTES = (
    "https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html#vpc-dns-support"
)
GROUP_RULES = "https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html"


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.id} ({short_name(endpoint.service_name)})"


# --- one availability zone only ------------------------------------------------------------------


def _zones(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in case.endpoints_of(EndpointType.INTERFACE):
        if endpoint.state in WORKING:
            yield _spread(case, endpoint)


def _spread(case: VpcCase, endpoint: Endpoint) -> Judgement:
    subnets = case.snapshot.subnets
    strange = [each for each in endpoint.subnet_ids if each not in subnets]
    held = {subnets[each].zone for each in endpoint.subnet_ids if each in subnets}
    concerns = frozenset({endpoint.id, *endpoint.subnet_ids})
    name = _name(endpoint)
    if not endpoint.subnet_ids:
        return _nowhere(endpoint, name)
    if len(held) > 1:
        summary = f"{name} stands in {listed(sorted(held))}"
        return Judgement(endpoint.id, Status.PASS, summary, concerns=concerns)
    if strange:
        summary = f"{name}: {listed(strange)} could not be found"
        return Judgement(endpoint.id, Status.UNKNOWN, summary, concerns=concerns)
    others = [
        each for each in case.subnets if each.zone not in held and _offered(case, endpoint, each)
    ]
    zone = next(iter(held))
    if not others:
        summary = f"{name} stands in {zone}, and can in no other zone of this VPC"
        return Judgement(endpoint.id, Status.NOT_APPLICABLE, summary, concerns=concerns)
    elsewhere = sorted({each.zone for each in others})
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} stands in {zone} only, while the VPC has subnets in {listed(elsewhere)}",
        evidence=(
            Evidence(
                f"The subnets of {endpoint.id}, {listed(endpoint.subnet_ids)}, are in {zone}.",
                {
                    "endpoint": endpoint.id,
                    "subnets": ", ".join(endpoint.subnet_ids),
                    "zone": zone,
                    "other_zones": ", ".join(elsewhere),
                },
            ),
        ),
        remediation=Remediation(
            "Add a subnet in another zone.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
            f"--add-subnet-ids {others[0].id}",
        ),
        concerns=concerns,
    )


def _nowhere(endpoint: Endpoint, name: str) -> Judgement:
    """Judge an endpoint without subnets, as the API makes it when it is given none."""
    summary = f"{name} stands in no subnet, so that nothing reaches it"
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL if endpoint.state == "available" else Status.NOT_APPLICABLE,
        severity=Severity.MEDIUM,
        summary=summary,
        evidence=(Evidence(f"{endpoint.id} lists no subnet.", {"endpoint": endpoint.id}),),
        remediation=Remediation("Add a subnet in each zone, or delete the endpoint."),
    )


def _offered(case: VpcCase, endpoint: Endpoint, subnet: Subnet) -> bool:
    """Tell whether the service can be had in a subnet's zone; where nobody tells, it can."""
    service = case.snapshot.services.get(endpoint.service_name)
    return not service or not service.zones or subnet.zone in service.zones


# --- private DNS off -----------------------------------------------------------------------------


def _private_dns_off(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in case.endpoints_of(EndpointType.INTERFACE):
        service = case.snapshot.services.get(endpoint.service_name)
        yield _private_dns(case, endpoint, service)


def _private_dns(case: VpcCase, endpoint: Endpoint, service: Service | None) -> Judgement:
    name = _name(endpoint)
    if endpoint.private_dns:
        return Judgement(endpoint.id, Status.PASS, f"{name} has private DNS on")
    if service is None:
        summary = f"{name} has private DNS off; whether its service offers it is not known"
        return Judgement(endpoint.id, Status.UNKNOWN, summary, _no_service(endpoint))
    if not service.private_dns_names:
        summary = f"{name}: the service offers no private DNS"
        return Judgement(endpoint.id, Status.NOT_APPLICABLE, summary)
    if endpoint.private_dns is None:
        return Judgement(endpoint.id, Status.UNKNOWN, f"{name}: EC2 does not tell of private DNS")
    if instead := _answers_instead(case, endpoint):
        summary = f"{name} has private DNS off; {instead.id} serves the service's own names"
        concerns = frozenset({endpoint.id, instead.id})
        return Judgement(endpoint.id, Status.NOT_APPLICABLE, summary, concerns=concerns)
    names = ", ".join(service.private_dns_names)
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{name} has private DNS off: {service.private_dns_names[0]} still leads to the "
        "service's public addresses",
        evidence=(
            Evidence(
                f"{endpoint.service_name} offers private DNS for {names}; it is off.",
                {"endpoint": endpoint.id, "names": names, "private_dns": "off"},
            ),
            *_instead(case, service),
            Evidence(
                "A private hosted zone may still take the names to the endpoint: zones are not "
                "read.",
                {"private_hosted_zones": "not read"},
            ),
            interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        remediation=Remediation(
            "Switch private DNS on, or see to it that clients use the endpoint's own names.",
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} --private-dns-enabled",
        ),
    )


def _instead(case: VpcCase, service: Service) -> Iterator[Evidence]:
    """Say which way subnets send to a service's public addresses, as its names lead there."""
    by_way: dict[str, list[str]] = {}
    for subnet in case.subnets:
        paths = case.analysis.paths.of(subnet, service)
        if paths:
            by_way.setdefault(ways(paths, exact=False), []).append(subnet.id)
    for way, subnets in by_way.items():
        yield Evidence(
            f"From {listed(subnets)} the public addresses of {short_name(service.name)}: {way}.",
            {"subnets": ", ".join(subnets), "way": way},
        )


def _answers_instead(case: VpcCase, endpoint: Endpoint) -> Endpoint | None:
    """Give another endpoint of the service that takes its names, or is a route to its addresses.

    Only one interface endpoint of a service may have private DNS; with a gateway endpoint in the
    VPC, S3's and DynamoDB's own names are meant to go there.
    """
    return next(
        (
            other
            for other in case.endpoints
            if other.id != endpoint.id
            and other.service_name == endpoint.service_name
            and other.state in WORKING
            and (other.private_dns or other.type is EndpointType.GATEWAY)
        ),
        None,
    )


def _no_service(endpoint: Endpoint) -> tuple[Evidence, ...]:
    return (
        Evidence(
            f"DescribeVpcEndpointServices does not list {endpoint.service_name}.",
            {"service": endpoint.service_name},
        ),
    )


# --- private DNS without effect ------------------------------------------------------------------


def _private_dns_ineffective(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in case.endpoints_of(EndpointType.INTERFACE):
        if endpoint.private_dns:
            yield _dns_attributes(case, endpoint)


def _dns_attributes(case: VpcCase, endpoint: Endpoint) -> Judgement:
    vpc = case.snapshot.vpc
    attributes = {"enableDnsSupport": vpc.dns_support, "enableDnsHostnames": vpc.dns_hostnames}
    concerns = frozenset({endpoint.id, vpc.id})
    off = [name for name, value in attributes.items() if value is False]
    unread = [name for name, value in attributes.items() if value is None]
    if not off and not unread:
        summary = f"the private DNS of {_name(endpoint)} is in effect"
        return Judgement(endpoint.id, Status.PASS, summary, concerns=concerns)
    facts = tuple(
        Evidence(
            f"{name} of {vpc.id} is {'off' if value is False else 'not known'}.",
            {"vpc": vpc.id, "attribute": name, "value": "false" if value is False else "unknown"},
        )
        for name, value in attributes.items()
        if not value
    )
    if not off:
        summary = f"{_name(endpoint)}: whether private DNS is in effect is not known"
        return Judgement(endpoint.id, Status.UNKNOWN, summary, facts, concerns=concerns)
    return Judgement(
        resource=endpoint.id,
        status=Status.FAIL,
        summary=f"{_name(endpoint)} has private DNS on, without effect: {listed(off)} of {vpc.id} "
        f"{'are' if len(off) > 1 else 'is'} off",
        evidence=(
            *facts,
            *_instead(case, service_of(case.snapshot, endpoint)),
            interface_hours(len(endpoint.network_interface_ids or endpoint.subnet_ids)),
        ),
        root=f"{listed(off)} of {vpc.id} {'are' if len(off) > 1 else 'is'} off",
        remediation=Remediation(
            "Switch the VPC's DNS attributes on.",
            " && ".join(
                f"aws ec2 modify-vpc-attribute --vpc-id {vpc.id} {option}"
                for option in _options(off)
            ),
        ),
        concerns=concerns,
    )


def _options(attributes: Sequence[str]) -> Iterator[str]:
    options = {
        "enableDnsSupport": "--enable-dns-support",
        "enableDnsHostnames": "--enable-dns-hostnames",
    }
    yield from (options[each] for each in attributes)


# --- no security group, or the default one -------------------------------------------------------


def _groups(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in case.endpoints_of(*GROUPED):
        yield _group_of(case, endpoint)


def _group_of(case: VpcCase, endpoint: Endpoint) -> Judgement:
    name = _name(endpoint)
    concerns = frozenset({endpoint.id, *endpoint.security_group_ids})
    if not endpoint.security_group_ids:
        return Judgement(
            resource=endpoint.id,
            status=Status.FAIL,
            summary=f"{name} has no security group",
            evidence=(Evidence(f"{endpoint.id} lists no group.", {"endpoint": endpoint.id}),),
            remediation=Remediation("Attach a group that admits on 443 just those who need it."),
        )
    found, lost = _known_groups(case, endpoint)
    default = [group for group in found if group.name == DEFAULT]
    if default:
        return Judgement(
            resource=endpoint.id,
            status=Status.FAIL,
            summary=f"{name} has the VPC's default security group {default[0].id}",
            evidence=(
                Evidence(
                    f"{default[0].id} is named default; whoever launches something without "
                    "choosing a group gets it, too.",
                    {"endpoint": endpoint.id, "security_group": default[0].id},
                ),
            ),
            remediation=Remediation(
                "Give the endpoint a group of its own, then take the default one off.",
                _take_off(endpoint, default[0]) if len(endpoint.security_group_ids) > 1 else "",
            ),
            concerns=concerns,
        )
    if lost:
        summary = f"{name}: {listed(lost)} could not be found"
        return Judgement(endpoint.id, Status.UNKNOWN, summary, concerns=concerns)
    summary = f"{name} has {listed(endpoint.security_group_ids)}"
    return Judgement(endpoint.id, Status.PASS, summary, concerns=concerns)


def _known_groups(case: VpcCase, endpoint: Endpoint) -> tuple[list[SecurityGroup], list[str]]:
    """Give the endpoint's groups, and the ids of those that are not in the picture."""
    known = case.snapshot.security_groups
    ids = endpoint.security_group_ids
    return [known[each] for each in ids if each in known], [
        each for each in ids if each not in known
    ]


def _take_off(endpoint: Endpoint, group: SecurityGroup) -> str:
    return (
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {endpoint.id} "
        f"--remove-security-group-ids {group.id}"
    )


# --- open to everybody ---------------------------------------------------------------------------


def _open(case: VpcCase) -> Iterator[Judgement]:
    for endpoint in case.endpoints_of(*GROUPED):
        yield _admission(case, endpoint)


def _admission(case: VpcCase, endpoint: Endpoint) -> Judgement:
    name = _name(endpoint)
    groups, lost = _known_groups(case, endpoint)
    lists = {
        rule.prefix_list_id for group in groups for rule in group.ingress if rule.prefix_list_id
    }
    concerns = frozenset({endpoint.id, *endpoint.security_group_ids, *lists})
    found = openness(groups, case.snapshot.prefix_lists)
    if found.open_to:
        return Judgement(
            resource=endpoint.id,
            status=Status.FAIL,
            summary=f"{name} admits {listed(found.open_to)} on {found.protocol}/{found.port}",
            evidence=tuple(rule_fact(each.group_id, each.rule) for each in found.by),
            remediation=Remediation(
                "Admit just the networks that use the endpoint, on the port it serves.",
                " && ".join(map(_revoke, found.by)),
            ),
            concerns=concerns,
        )
    if found.unread or lost:
        facts = tuple(rule_fact(each.group_id, each.rule) for each in found.unread)
        what = (
            listed(lost) if lost else listed(str(each.rule.prefix_list_id) for each in found.unread)
        )
        summary = f"{name}: whom {what} admits is not known"
        return Judgement(endpoint.id, Status.UNKNOWN, summary, facts, concerns=concerns)
    summary = f"{name} does not admit everybody"
    return Judgement(endpoint.id, Status.PASS, summary, concerns=concerns)


def _revoke(admission: Admission) -> str:
    permissions = json.dumps([_permission(admission.rule)], separators=(",", ":"))
    return (
        f"aws ec2 revoke-security-group-ingress --group-id {admission.group_id} "
        f"--ip-permissions '{permissions}'"
    )


def _permission(rule: SecurityGroupRule) -> dict[str, object]:
    ports = {"FromPort": rule.from_port, "ToPort": rule.to_port}
    told = {name: port for name, port in ports.items() if port is not None}
    if rule.cidr is None:
        return {
            "IpProtocol": rule.protocol,
            **told,
            "PrefixListIds": [{"PrefixListId": rule.prefix_list_id}],
        }
    if rule.cidr.version == IPV6:
        return {"IpProtocol": rule.protocol, **told, "Ipv6Ranges": [{"CidrIpv6": str(rule.cidr)}]}
    return {"IpProtocol": rule.protocol, **told, "IpRanges": [{"CidrIp": str(rule.cidr)}]}


RULES: tuple[Rule[VpcCase], ...] = (
    Rule(
        id="endpoint-open-to-everybody",
        title="endpoint admits everybody",
        requirement="No endpoint's security groups admit 0.0.0.0/0 or ::/0",
        family=Family.INTERFACES,
        severity=Severity.HIGH,
        rationale=(
            "Whoever has a way into the VPC, by peering, VPN or a transit gateway, may use the "
            "endpoint. Several rules that together make up every address count as well."
        ),
        remediation="Admit just the networks that use the endpoint.",
        judge=_open,
        reads=frozenset({Facet.ENDPOINTS, Facet.SECURITY_GROUPS}),
        controls=INBOUND,
        references=(GROUP_RULES, CREATE),
    ),
    Rule(
        id="endpoint-with-default-group",
        title="endpoint has no group of its own",
        requirement="Every interface endpoint has a security group of its own, not the default one",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "The default group admits everything that has it, and whatever is launched without a "
            "choice gets it."
        ),
        remediation="Give the endpoint a group of its own.",
        judge=_groups,
        reads=frozenset({Facet.ENDPOINTS, Facet.SECURITY_GROUPS}),
        controls=INBOUND,
        references=(CREATE,),
    ),
    Rule(
        id="private-dns-ineffective",
        title="private DNS has no effect",
        requirement="Where an endpoint has private DNS on, the VPC's DNS attributes let it work",
        family=Family.INTERFACES,
        severity=Severity.HIGH,
        rationale=(
            "Private DNS needs both DNS attributes of the VPC. With one of them off, the service's "
            "own names lead to its public addresses, and traffic goes past the endpoint."
        ),
        remediation="Switch the VPC's DNS attributes on.",
        judge=_private_dns_ineffective,
        reads=frozenset({Facet.ENDPOINTS, Facet.VPC, Facet.DNS_ATTRIBUTES}),
        controls=BOUNDARY,
        references=(DNS_ATTRIBUTES, PRIVATE_DNS),
    ),
    Rule(
        id="private-dns-off",
        title="private DNS is off",
        requirement="Interface endpoints have private DNS on where the service offers it",
        family=Family.INTERFACES,
        severity=Severity.MEDIUM,
        rationale=(
            "Without private DNS the service's own names lead to its public addresses: software "
            "that is not told the endpoint's names goes past it."
        ),
        remediation="Switch private DNS on.",
        judge=_private_dns_off,
        reads=frozenset({Facet.ENDPOINTS, Facet.SERVICES}),
        controls=BOUNDARY,
        references=(PRIVATE_DNS,),
    ),
    Rule(
        id="endpoint-in-one-zone",
        title="endpoint stands in one zone only",
        requirement="Interface endpoints stand in more than one availability zone",
        family=Family.INTERFACES,
        severity=Severity.LOW,
        rationale=(
            "When the zone of its only interface fails, every subnet loses the service; until "
            "then, what other zones send crosses between them, which takes longer."
        ),
        remediation="Add a subnet in another zone.",
        judge=_zones,
        reads=frozenset({Facet.ENDPOINTS, Facet.SUBNETS, Facet.SERVICES}),
        controls=AVAILABILITY,
        references=(CREATE,),
    ),
)
