"""Edits that let the names of a service lead to a central endpoint.

https://docs.aws.amazon.com/whitepapers/latest/building-scalable-secure-multi-vpc-network-infrastructure/centralized-access-to-vpc-private-endpoints.html
"""

from __future__ import annotations

from collections.abc import Iterator

from posture.edits.edit import Edit
from posture.edits.shared_edit import (
    AssociateProfile,
    AssociateResolverRule,
    AssociateResourceToProfile,
)
from posture.model.service_names import get_partition
from posture.model.shared_network import Profile
from posture.rules.remediation.central_known import KnownNames
from posture.rules.remediation.central_problem import Plan, Problem
from posture.rules.remediation.central_records import (
    associate_zone,
    list_record_edits,
    list_zone_edits,
)
from posture.rules.remediation.interfaces import enable_dns_attributes


def list_name_edits(problem: Problem) -> Iterator[Plan]:
    """List what may let the names that lead elsewhere lead to an endpoint, the least first.

    A record that its own zone lacks comes first, then what exists already and only lacks the VPC,
    then records in broader zones, and new zones last.
    """
    if attributes := enable_dns_attributes(problem.vpc):
        yield attributes
        return
    own = problem.own_vpc
    if problem.shared is None or own is None:
        return
    names = KnownNames(problem, problem.shared, own)
    if not names.broken:
        return
    yield from list_record_edits(names, exact=True)
    if names.prefers_zones:
        yield from _associate_zones(names)
    yield from _use_profiles(names)
    yield from _associate_rules(names)
    if not names.prefers_zones:
        yield from _associate_zones(names)
    yield from list_record_edits(names, exact=False)
    yield from list_zone_edits(names)


def _associate_zones(names: KnownNames) -> Iterator[Plan]:
    """List the association of the VPC with the zones that it lacks."""
    if zones := names.fitting_zones:
        yield tuple(
            edit for zone in zones for edit in associate_zone(names.own, zone.id, zone.owner)
        )


def _use_profiles(names: KnownNames) -> Iterator[Plan]:
    """List what the VPC's own Profiles lack, and Profiles that it lacks."""
    own = {each.profile_id for each in names.own.profiles}
    for profile in names.own_profiles:
        yield from _complete_profile(names, profile)
    for _, profile in sorted(names.shared.profiles.items()):
        if profile.id not in own and names.brings_names(profile):
            yield (
                AssociateProfile(
                    name=f"{names.own.id}-{profile.id}",
                    profile_id=profile.id,
                    resource_id=names.own.id,
                ),
            )


def _complete_profile(names: KnownNames, profile: Profile) -> Iterator[Plan]:
    """Add the zones that lead the names, or the endpoint itself, to a Profile."""
    partition = get_partition(names.own.region)
    zones = [each for each in names.fitting_zones if each.id not in profile.zone_ids]
    if zones:
        arns = [f"arn:{partition}:route53:::hostedzone/{each.id}" for each in zones]
        yield tuple(_add_to_profile(profile, arn) for arn in arns)
    for each in names.endpoints[:1]:
        scope, name = each.snapshot.scope, each.endpoint.id
        arn = f"arn:{partition}:ec2:{scope.region}:{scope.account}:vpc-endpoint/{name}"
        if name not in profile.endpoint_ids and (profile.endpoint_ids or not zones):
            yield (_add_to_profile(profile, arn),)


def _add_to_profile(profile: Profile, arn: str) -> Edit:
    name = arn.rpartition("/")[2]
    return AssociateResourceToProfile(name=name, profile_id=profile.id, resource_arn=arn)


def _associate_rules(names: KnownNames) -> Iterator[Plan]:
    """List the association of the VPC with Resolver rules that forward the names."""
    rules = [
        each
        for each in sorted(names.shared.rules)
        if each not in names.own.rule_ids and names.forwards(each)
    ]
    if rules:
        yield tuple(
            AssociateResolverRule(resolver_rule_id=each, vpc_id=names.own.id) for each in rules
        )
