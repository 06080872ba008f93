"""The rules and zones that match a name in a VPC, and their order.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-overview-forward-vpc-to-network-domain-name-matches.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zone-private-considerations.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/profiles.html
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from posture.analysis.central.known_endpoints import KnownEndpoint
from posture.analysis.central.records import count_labels, get_domain
from posture.lean_dataclass import dataclass
from posture.model.shared_network import HostedZone, ProfileUse, ResolverRule


class Rank(IntEnum):
    """What decides between matches of the same name: a lower rank goes first.

    https://repost.aws/knowledge-center/route-53-override-reverse-dns-rules
    """

    RULE = 0
    ZONE = 1


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A rule or zone that covers a name in a VPC.

    `use` is the association of the Profile that brings it, None if the VPC itself is associated.
    `endpoint` is the endpoint whose private DNS the zone belongs to. `doubt` says why it may not
    apply.
    """

    rank: Rank
    domain: str
    subject: str
    account: str
    use: ProfileUse | None = None
    rule: ResolverRule | None = None
    zone: HostedZone | None = None
    endpoint: KnownEndpoint | None = None
    doubt: str = ""

    @property
    def labels(self) -> int:
        """How specific the match is."""
        return count_labels(self.domain)


class Affected(IntEnum):
    """What an unread fact could add, in order of what a known match excludes."""

    PROFILES = 0  # anything of a Profile
    ZONES = 1  # a zone, associated with the VPC or of its endpoints
    RULES = 2  # a rule, associated with the VPC


@dataclass(frozen=True, slots=True)
class Unread:
    """A fact that could not be read, which could add a match of a name in the domain."""

    affected: Affected
    subject: str
    account: str
    text: str
    missing: str
    domain: str = ""  # all names


@dataclass(frozen=True, slots=True)
class Matches:
    """The matches of a name.

    `unread` are the facts that could not be read and could add a match. `delegates` is whether a
    rule makes the Resolver follow NS records of zones.
    """

    name: str
    found: tuple[Match, ...]
    unread: tuple[Unread, ...]
    delegates: bool


def list_first(found: Sequence[Match]) -> tuple[tuple[Match, ...], ...]:
    """List what may decide a name, most likely first: each one or several equal matches.

    The most specific name goes first; of the same name, what the VPC itself is associated with,
    then rules, then the Profile of the lower priority. Where AWS does not document the order, there
    are several possible results: a zone of the VPC against a rule of a Profile of the same name,
    and a more specific match of a Profile of lower precedence.
    """
    if not found:
        return ()
    uses = {each.use.priority for each in found if each.use}
    if not uses:
        return (_find_first(found, rules_first=False),)
    leading = [each for each in found if each.use is None or each.use.priority == min(uses)]
    readings = (
        _find_first(counted, rules_first=rules_first)
        for counted in (found, leading)
        for rules_first in (False, True)
    )
    return tuple(dict.fromkeys(readings))


def _find_first(found: Sequence[Match], *, rules_first: bool) -> tuple[Match, ...]:

    def order(match: Match) -> tuple[int, ...]:
        local = (match.use is not None, match.rank)
        ranked = local[::-1] if rules_first else local
        return (-match.labels, *ranked, match.use.priority if match.use else 0)

    least = min(map(order, found))
    return tuple(each for each in found if order(each) == least)


def keep_deciding(listed: Matches, first: Match | None) -> tuple[Unread, ...]:
    """Keep the unread facts that could add a match that goes before the first known one.

    What the VPC itself is associated with by the very name goes before what any Profile brings, and
    a VPC is not associated with two zones of one name. Private DNS of the VPC's own endpoint
    decides for the same name, whatever rules could not be read: without the shared network no rule
    is read at all.
    """
    if first is None or first.use or first.domain != get_domain(listed.name):
        return tuple(listed.unread)
    if first.rank is Rank.RULE or first.endpoint:
        return ()
    return tuple(each for each in listed.unread if each.affected is Affected.RULES)
