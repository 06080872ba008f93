"""Reads Route 53 Profiles, their resources, and which VPCs use them."""

from __future__ import annotations

from collections.abc import Iterator

from posture.model.shared_network import (
    Profile,
    ProfileUse,
    SharedFacet,
    SharedNetwork,
    SharedVpc,
)
from posture.organization.parse.fields import Row, get_text
from posture.organization.parse.resolver import ENDING, STARTING, parse_profile, parse_profile_use
from posture.organization.reader import Reader


def read_profiles(reader: Reader) -> SharedNetwork:
    """Read the Profiles of an account, and those shared with it by accounts that are not watched.

    Consumers of a Profile may list its resources, too.
    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/sharing-profiles.html
    """
    profiles = {each.id: each for each in _read_profiles(reader)}
    facet = SharedFacet.PROFILE_ASSOCIATIONS
    rows = reader.read_rows(facet, "ProfileAssociations")
    uses: dict[str, set[ProfileUse]] = {}
    for vpc_id, use in reader.parse_rows(facet, rows, _parse_use):
        uses.setdefault(vpc_id, set()).add(use)
    return SharedNetwork(
        region=reader.region,
        observed_at=reader.now,
        vpcs={
            vpc_id: SharedVpc(
                vpc_id,
                "",
                reader.region,
                profiles=tuple(sorted(used, key=lambda it: (it.priority, it.profile_id))),
            )
            for vpc_id, used in uses.items()
        },
        profiles=profiles,
    )


def _parse_use(row: Row) -> tuple[str, ProfileUse] | None:
    status = get_text(row, "Status", "")
    return None if status in ENDING | STARTING - {"UPDATING"} else parse_profile_use(row)


def _read_profiles(reader: Reader) -> Iterator[Profile]:
    listed = reader.read_rows(SharedFacet.PROFILES, "ProfileSummaries")
    for profile, row in reader.parse_rows(
        SharedFacet.PROFILES, listed, lambda row: (parse_profile(row, None), row)
    ):
        if reader.watches(profile.owner):
            continue
        facet, before = SharedFacet.PROFILE_RESOURCES, len(reader.unread)
        rows = reader.read_rows(
            facet, "ProfileResourceAssociations", profile.id, ProfileId=profile.id
        )
        parsed = reader.parse_rows(facet, rows, lambda each: each, profile.id)
        try:
            complete = parse_profile(row, list(parsed))
        except ValueError as error:
            reader.miss(facet, f"a row of {facet} is malformed: {error}", profile.id)
        yield profile if len(reader.unread) > before else complete
