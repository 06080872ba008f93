"""Regions of a plan that no rows of EC2 are below: with what AWS is known to offer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from posture.model.network import Facet
from posture_cli.plan.catalogue import UNREAD, build_catalogue, find_selective_resource
from posture_cli.plan.rows import PlannedRegion, Row
from posture_cli.recorded.operations import OPERATIONS
from posture_cli.recorded.region import MissingRows, RecordedRegion


def start_region(
    account: str, region: str, rows: Mapping[str, Iterable[Row]] | None
) -> PlannedRegion:
    """Start a Region from rows that were read, or from what AWS offers there."""
    started = PlannedRegion(account, region, build_catalogue(region) if rows is None else rows)
    for name in OPERATIONS:
        started.rows.setdefault(name, [])  # an operation without rows is one that returns none
    return started


def record_alone(
    region: PlannedRegion, observed_at: datetime, existing: Collection[str]
) -> RecordedRegion:
    """Record a Region that no rows of EC2 are below.

    Args:
        region: The Region.
        observed_at: The time of the plan.
        existing: The ids of resources that exist already, of which the plan does not know all.
    """
    missing: list[MissingRows] = []
    for row in region.rows["DescribeVpcEndpointServiceConfigurations"]:
        offered = {"ServiceName": row["ServiceName"], "Owner": region.account}
        kinds = [{"ServiceType": "Interface"}]
        region.put("DescribeVpcEndpointServices", "ServiceName", {**offered, "ServiceType": kinds})
        if row["ServiceId"] in existing:
            why = f"the connections of {row['ServiceId']} are not in the plan"
            missing.append(MissingRows("DescribeVpcEndpointConnections", why, row["ServiceId"]))
    if owner := find_selective_resource(region.rows):
        for row in region.rows["DescribePrefixLists"]:
            row.pop("Cidrs", None)
            why = UNREAD.format(owner)
            missing.append(MissingRows(Facet.PREFIX_LISTS.value, why, row["PrefixListId"]))
    return region.record(observed_at, missing)
