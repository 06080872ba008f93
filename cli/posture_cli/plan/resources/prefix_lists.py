"""Prefix lists of a planned region: the customer's and those of gateway services."""

from __future__ import annotations

from collections.abc import Sequence

from posture_cli.plan.rows import PlannedRegion
from posture_cli.plan.values import Unknown, find_unknown, make_symbol


def add_prefix_list(
    region: PlannedRegion, list_id: str, cidrs: Sequence[str | Unknown] | Unknown
) -> None:
    """Add a customer-managed prefix list; with an unknown entry, its entries are not read."""
    region.remove("GetManagedPrefixListEntries", "PrefixListId", list_id)
    if isinstance(cidrs, Unknown) or find_unknown(list(cidrs)):
        return
    entries = [{"Cidr": cidr} for cidr in cidrs]
    region.rows["GetManagedPrefixListEntries"].append({"PrefixListId": list_id, "Entries": entries})


def add_prefix_list_entry(region: PlannedRegion, list_id: str, cidr: str | Unknown) -> None:
    """Add an entry to a prefix list; an unknown one leaves all its entries unread."""
    operation = "GetManagedPrefixListEntries"
    if isinstance(cidr, Unknown):
        region.remove(operation, "PrefixListId", list_id)
    elif (row := region.find(operation, "PrefixListId", list_id)) is not None:
        kept = [each for each in row["Entries"] if each != {"Cidr": cidr}]
        row["Entries"] = [*kept, {"Cidr": cidr}]


def remove_prefix_list_entry(region: PlannedRegion, list_id: str, cidr: str) -> None:
    """Remove an entry of a prefix list."""
    if row := region.find("GetManagedPrefixListEntries", "PrefixListId", list_id):
        row["Entries"] = [each for each in row["Entries"] if each.get("Cidr") != cidr]


def find_service_list(region: PlannedRegion, service_name: str) -> str:
    """Return the id of a gateway service's prefix list; a symbol if no row names the list."""
    known = region.find("DescribePrefixLists", "PrefixListName", service_name)
    if known is None:
        list_id = make_symbol("prefix-list", service_name.rpartition(".")[2])
        known = {"PrefixListId": list_id, "PrefixListName": service_name}
        region.rows["DescribePrefixLists"].append(known)
    return str(known["PrefixListId"])
