"""Reads one kind of facts in one account: pages, denials, rows that are malformed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from botocore import xform_name

from posture.ec2.errors import check_answer
from posture.model.service_names import get_partition
from posture.model.shared_network import SharedFacet, SharedNetwork, UnreadFact
from posture.organization.clients import ServiceClients
from posture.organization.failures import describe_denial, has_no_endpoint, is_gone
from posture.organization.parse.fields import Row
from posture.runtime import clients

T = TypeVar("T")

# The partitions in which AWS offers a service at all, where it does not in every one. There can be
# nothing elsewhere, so nothing is missing.
# https://docs.aws.amazon.com/network-manager/latest/tgwnm/what-are-global-networks.html
ONLY_IN: Mapping[str, frozenset[str]] = {"networkmanager": frozenset({"aws", "aws-us-gov"})}
# What is read only of what another operation lists: without the list it is unread as well.
DEPENDENTS: Mapping[SharedFacet, tuple[SharedFacet, ...]] = {
    SharedFacet.ZONES: (SharedFacet.ZONE, SharedFacet.RECORDS),
    SharedFacet.RESOLVER_ENDPOINTS: (SharedFacet.RESOLVER_ADDRESSES,),
    SharedFacet.PROFILES: (SharedFacet.PROFILE_RESOURCES,),
    SharedFacet.TRANSIT_GATEWAYS: (SharedFacet.TRANSIT_ROUTE_TABLES,),
    SharedFacet.TRANSIT_ROUTE_TABLES: (
        SharedFacet.TRANSIT_ROUTES,
        SharedFacet.PREFIX_LIST_REFERENCES,
    ),
    SharedFacet.ATTACHMENTS: (SharedFacet.VPC_ATTACHMENTS, SharedFacet.PEERING_ATTACHMENTS),
    SharedFacet.CORE_NETWORKS: (SharedFacet.CORE_NETWORK, SharedFacet.CORE_ATTACHMENTS),
    SharedFacet.CORE_NETWORK: (SharedFacet.CORE_ROUTES,),
    SharedFacet.CORE_ATTACHMENTS: (SharedFacet.CORE_VPC_ATTACHMENT,),
}
PAGES: Mapping[str, int] = {"ec2": 1000}
PAGE_OF_LISTS = 100  # GetManagedPrefixListEntries accepts no more


@dataclass(slots=True)
class Reader:
    """Reads facts of an account, and collects which could not be read.

    `accounts` are all that are watched: what another of them owns is read there. `former` is the
    network of the surveys before, and `read_at` when this kind was last read in this account.
    """

    account: str
    region: str
    clients: ServiceClients
    now: datetime
    accounts: Collection[str]
    former: SharedNetwork | None = None
    read_at: datetime | None = None
    unread: list[UnreadFact] = field(default_factory=list)

    def offers(self, service: str) -> bool:
        """Return whether AWS offers a service in the partition of the Region."""
        return get_partition(self.region) in ONLY_IN.get(service, {get_partition(self.region)})

    def watches(self, account: str) -> bool:
        """Return whether another watched account owns something, which is then read there."""
        return account in self.accounts and account != self.account

    def read_rows(
        self, facet: SharedFacet, member: str, subject: str = "", **parameters: object
    ) -> list[Row] | None:
        """Read all rows of an operation; None if it is denied, which is then an unread fact.

        Args:
            facet: The operation, with its service.
            member: The list of rows in the response.
            subject: The id of what is read; "" for all of the account.
            parameters: The parameters of the operation.

        Raises:
            ClientError, BotoCoreError: Throttling or a failure outlasted the retries.
        """
        pages = self.read_pages(facet, member, subject, **parameters)
        return None if pages is None else [row for page in pages for row in page.get(member) or ()]

    def read_pages(
        self, facet: SharedFacet, member: str, subject: str = "", **parameters: object
    ) -> list[Row] | None:
        """Read all pages of an operation, as `read_rows` does; no page of what is gone."""
        service, operation = facet.split(":")
        try:
            client = self.clients.get(service)
            pages = list(_list_pages(client, operation, parameters))
            for page in pages:
                check_answer(page, operation, member)
        except Exception as error:
            if is_gone(error) or (has_no_endpoint(error) and not self._has_region(service)):
                return []
            why = describe_denial(error, facet)
            if why is None:
                raise
            self.miss(facet, why, subject)
            return None
        return pages

    def parse_rows(
        self,
        facet: SharedFacet,
        rows: Iterable[Row] | None,
        parse: Callable[[Row], T | None],
        subject: str = "",
    ) -> Iterator[T]:
        """Parse rows; one that is malformed is an unread fact. What parses to None is left out."""
        for row in rows or ():
            try:
                parsed = parse(row)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                self.miss(facet, f"a row of {facet} is malformed: {error}", subject)
            else:
                if parsed is not None:
                    yield parsed

    def miss(self, facet: SharedFacet, why: str, subject: str = "", account: str = "") -> None:
        """Record what could not be read, and what would have been read of it."""
        fact = UnreadFact(facet, account or self.account, why, subject)
        if fact not in self.unread:
            self.unread.append(fact)
        for dependent in DEPENDENTS.get(facet, ()):
            self.miss(dependent, why, subject, account)

    def _has_region(self, service: str) -> bool:
        """Return whether botocore knows an endpoint of a service in the Region.

        Where it knows none and none answers, AWS does not offer the service.
        """
        partition = get_partition(self.region)
        regions = clients.session().get_available_regions(service, partition)
        return not regions or self.region in regions


def _list_pages(client: Any, operation: str, parameters: Mapping[str, object]) -> Iterator[Row]:
    name = xform_name(operation)
    if client.can_paginate(name):
        service = client.meta.service_model.service_name
        size = PAGE_OF_LISTS if operation == "GetManagedPrefixListEntries" else PAGES.get(service)
        config = {"PageSize": size} if size else {}
        yield from client.get_paginator(name).paginate(**parameters, PaginationConfig=config)
        return
    token: dict[str, object] = {}
    while True:
        page: Row = getattr(client, name)(**parameters, **token)
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}
