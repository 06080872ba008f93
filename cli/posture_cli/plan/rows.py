"""The network that a plan leads to, as rows of EC2's Describe operations.

`PlannedRegion` starts from a region's recorded rows, or from nothing. The modules of `resources`
add one planned resource after the other, each as EC2 would create it, with the defaults that EC2
adds by itself. A name, an id or an address that EC2 assigns is a symbol; a value that is not known
makes the part of the VPC that it belongs to unknown. Nothing is guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any

from posture.model.endpoint_service import ServiceFacet
from posture.model.network import Facet
from posture_cli.plan.values import find_unknown
from posture_cli.recorded.region import MissingRows, RecordedRegion

Row = dict[str, Any]
ANY_IPV4, ANY_IPV6 = "0.0.0.0/0", "::/0"
# The members of a route that name its destination.
DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


class PlannedRegion:
    """One region of one account while a plan is applied to it.

    Attributes:
        account: The account's id.
        region: The region's name.
        rows: The rows by Describe operation.
        unknown: By VPC or service id, why a part of it is not known.
        outside: The ids of VPCs that the plan names and does not hold.
    """

    def __init__(
        self, account: str, region: str, rows: Mapping[str, Iterable[Row]] | None = None
    ) -> None:
        self.account = account
        self.region = region
        self.rows: dict[str, list[Row]] = defaultdict(list)
        for operation, listed in (rows or {}).items():
            self.rows[operation] = [deepcopy(dict(row)) for row in listed]
        self.unknown: dict[str, dict[Facet | ServiceFacet, str]] = defaultdict(dict)
        self.outside: list[str] = []

    def find(self, operation: str, key: str, value: object) -> Row | None:
        """Find the row of an operation whose member `key` has this value."""
        return next((row for row in self.rows[operation] if row.get(key) == value), None)

    def remove(self, operation: str, key: str, value: object) -> None:
        """Remove the rows of an operation whose member `key` has this value."""
        self.rows[operation] = [row for row in self.rows[operation] if row.get(key) != value]

    def put(self, operation: str, key: str, row: Row) -> Row:
        """Add a row, or update the row of the same id with its members."""
        if known := self.find(operation, key, row[key]):
            known.update(row)
            return known
        self.rows[operation].append(row)
        return row

    def mark_unknown(self, vpc_id: str, facet: Facet | ServiceFacet, why: str) -> None:
        """Record why a part of a VPC, or of an endpoint service, is not known; the first stays."""
        self.unknown[vpc_id].setdefault(facet, why)

    def keep_known(self, vpc_id: str, facet: Facet, place: str, **values: Any) -> dict[str, Any]:
        """Return the values that are known; each other one makes the facet unknown."""
        for name, value in values.items():
            if unknown := find_unknown(value):
                self.mark_unknown(vpc_id, facet, f"{name} of {place} is {unknown.what}")
        return {name: it for name, it in values.items() if it is not None and not find_unknown(it)}

    def record(self, observed_at: datetime, missing: Iterable[MissingRows] = ()) -> RecordedRegion:
        """Return the rows, with what is not known as missing, to be observed like EC2."""
        gaps = [
            MissingRows(facet.value, why, subject)
            for subject, reasons in self.unknown.items()
            for facet, why in reasons.items()
        ]
        rows = {operation: tuple(listed) for operation, listed in self.rows.items()}
        return RecordedRegion(self.account, self.region, observed_at, rows, (*missing, *gaps))

    def list_cidrs(self, vpc_id: str) -> list[str]:
        """List the CIDR blocks of a VPC that are known, IPv4 first."""
        vpc = self.find("DescribeVpcs", "VpcId", vpc_id) or {}
        return [
            each[name]
            for name in ("CidrBlock", "Ipv6CidrBlock")
            for each in vpc.get(f"{name}AssociationSet", ())
        ]

    def find_vpc_id(self, operation: str, key: str, value: object) -> str:
        """Find the VPC of a resource; "" if the resource is not among the rows."""
        return str((self.find(operation, key, value) or {}).get("VpcId", ""))

    def select(self, operation: str, vpc_id: str) -> list[Row]:
        """List the rows of an operation that belong to a VPC."""
        return [row for row in self.rows[operation] if row.get("VpcId") == vpc_id]


def list_tags(tags: Mapping[str, str] | None) -> list[Row]:
    """List tags as Describe operations return them."""
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]
