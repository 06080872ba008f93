"""Applies edits of the associations of Resolver rules and of Route 53 Profiles.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-rules-managing.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/profiles.html
"""

from __future__ import annotations

from dataclasses import replace

from posture.edits.draft import Handlers, refuse
from posture.edits.shared_draft import SharedDraft
from posture.edits.shared_edit import (
    AssociateProfile,
    AssociateResolverRule,
    AssociateResourceToProfile,
    DisassociateProfile,
    DisassociateResolverRule,
    DisassociateResourceFromProfile,
)
from posture.errors import RefusedEditError, UndecidedEditError
from posture.model.shared_network import Profile, ProfileUse

NOT_FOUND = "ResourceNotFoundException"
EXISTS = "ResourceExistsException"
PROFILES_OF_VPC = 2
# The parts of a Profile by the resource that an ARN names.
RESOURCES = {
    "hostedzone": "zone_ids",
    "resolver-rule": "rule_ids",
    "vpc-endpoint": "endpoint_ids",
}


def _associate_rule(draft: SharedDraft, edit: AssociateResolverRule) -> None:
    rule, vpc = draft.get_rule(edit.resolver_rule_id), draft.get_vpc(edit.vpc_id, NOT_FOUND)
    for rule_id in vpc.rule_ids:
        other = draft.rules.get(rule_id)
        if rule_id == rule.id or (other and other.name == rule.name):
            raise refuse(
                EXISTS,
                "Cannot associate rules with same domain name with same VPC. Conflict with "
                f"resolver rule {rule_id}.",
            )
    for resolver in draft.shared.resolvers.values():
        if resolver.vpc_id == vpc.id and {*rule.targets} & {*resolver.addresses}:
            raise refuse(
                "InvalidRequestException",
                f"Cannot associate rule {rule.id} to VPC {vpc.id} because the VPC includes an "
                f"INBOUND resolver endpoint ({resolver.id}) with the rule's target IP.",
            )
    if rule.owner and rule.owner != vpc.account:
        draft.assume(f"{rule.id} is shared with account {vpc.account}")
    draft.vpcs[vpc.id] = replace(vpc, rule_ids=tuple(sorted((*vpc.rule_ids, rule.id))))


def _disassociate_rule(draft: SharedDraft, edit: DisassociateResolverRule) -> None:
    vpc = draft.get_vpc(edit.vpc_id, NOT_FOUND)
    if edit.resolver_rule_id not in vpc.rule_ids:
        raise refuse(NOT_FOUND, f"{edit.resolver_rule_id} is not associated with {vpc.id}.")
    rest = tuple(each for each in vpc.rule_ids if each != edit.resolver_rule_id)
    draft.vpcs[vpc.id] = replace(vpc, rule_ids=rest)


def _associate_profile(draft: SharedDraft, edit: AssociateProfile) -> None:
    """Associate a Profile, of which a VPC has at most two, with different priorities.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/profiles-vpc-update-priority.html
    """
    profile = draft.get_profile(edit.profile_id)
    vpc = draft.get_vpc(_name_vpc(edit.resource_id), NOT_FOUND)
    use = ProfileUse(profile.id)
    if any(each.profile_id == profile.id for each in vpc.profiles):
        raise refuse(EXISTS, f"{profile.id} is associated with {vpc.id} already.")
    if len(vpc.profiles) >= PROFILES_OF_VPC or any(
        each.priority == use.priority for each in vpc.profiles
    ):
        raise refuse(
            "ConflictException",
            f"{vpc.id} is associated with {', '.join(each.profile_id for each in vpc.profiles)}.",
        )
    if profile.owner and profile.owner != vpc.account:
        draft.assume(f"{profile.id} is shared with account {vpc.account}")
    draft.vpcs[vpc.id] = replace(vpc, profiles=(*vpc.profiles, use))


def _disassociate_profile(draft: SharedDraft, edit: DisassociateProfile) -> None:
    vpc = draft.get_vpc(_name_vpc(edit.resource_id), NOT_FOUND)
    rest = tuple(each for each in vpc.profiles if each.profile_id != edit.profile_id)
    if rest == vpc.profiles:
        raise refuse(NOT_FOUND, f"{edit.profile_id} is not associated with {vpc.id}.")
    draft.vpcs[vpc.id] = replace(vpc, profiles=rest)


def _name_vpc(resource: str) -> str:
    """Return the id of a VPC, which requests name by its ARN as well."""
    return resource.rpartition("/")[2]


def _add_resource(draft: SharedDraft, edit: AssociateResourceToProfile) -> None:
    profile = _get_readable(draft, edit.profile_id)
    part, resource_id = _parse_arn(edit.resource_arn)
    held: tuple[str, ...] = getattr(profile, part)
    if resource_id in held:
        raise refuse("ConflictException", f"{resource_id} is associated with {profile.id} already.")
    _refuse_same_name(draft, profile, part, resource_id)
    changed = {part: tuple(sorted((*held, resource_id)))}
    draft.profiles[profile.id] = replace(profile, **changed)  # type: ignore[arg-type]


def _refuse_same_name(draft: SharedDraft, profile: Profile, part: str, resource_id: str) -> None:
    """Refuse a zone or rule that does not exist, or whose name the Profile has one of."""
    if part == "endpoint_ids":
        if not any(resource_id in each.endpoints for each in draft.drafts.values()):
            draft.assume(f"{resource_id} exists")
        return
    zone = part == "zone_ids"
    wanted = draft.get_zone(resource_id) if zone else draft.get_rule(resource_id)
    known = draft.zones if zone else draft.rules
    for other in getattr(profile, part):
        found = known.get(other)
        if found and found.name == wanted.name:
            raise refuse(
                "ConflictException", f"{profile.id} has {other} for {wanted.name} already."
            )


def _remove_resource(draft: SharedDraft, edit: DisassociateResourceFromProfile) -> None:
    profile = _get_readable(draft, edit.profile_id)
    part, resource_id = _parse_arn(edit.resource_arn)
    held: tuple[str, ...] = getattr(profile, part)
    if resource_id not in held:
        raise refuse(NOT_FOUND, f"{resource_id} is not associated with {profile.id}.")
    changed = {part: tuple(each for each in held if each != resource_id)}
    draft.profiles[profile.id] = replace(profile, **changed)  # type: ignore[arg-type]


def _get_readable(draft: SharedDraft, profile_id: str) -> Profile:
    profile = draft.get_profile(profile_id)
    if not profile.resources_read:
        raise UndecidedEditError(f"the resources of {profile.id} could not be read")
    return profile


def _parse_arn(arn: str) -> tuple[str, str]:
    """Return the part of a Profile that holds what an ARN names, and its id."""
    kind, _, resource_id = arn.rpartition(":")[2].partition("/")
    part = RESOURCES.get(kind)
    if not arn.startswith("arn:") or part is None or not resource_id:
        raise _invalid_arn(arn)
    return part, resource_id


def _invalid_arn(arn: str) -> RefusedEditError:
    return refuse(
        "InvalidParameterException",
        f"{arn}: expected the ARN of a private hosted zone, Resolver rule or VPC endpoint.",
    )


HANDLERS: Handlers = {
    AssociateResolverRule: _associate_rule,
    DisassociateResolverRule: _disassociate_rule,
    AssociateProfile: _associate_profile,
    DisassociateProfile: _disassociate_profile,
    AssociateResourceToProfile: _add_resource,
    DisassociateResourceFromProfile: _remove_resource,
}
