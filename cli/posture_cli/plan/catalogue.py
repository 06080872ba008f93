"""What a Region offers, for plans that are read without credentials.

`services.json` holds the services that AWS lists, with the types of endpoint, the private DNS names
and whether they take endpoint policies. It names no Availability Zones, as those that offer a
service differ. The addresses of S3 and DynamoDB are not known: documentation addresses stand for
them, which is exact as long as no route and no rule tells one public address from another.
https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from posture.analysis.addresses import IPV4, AddressSet
from posture.analysis.region_offers import PUBLIC
from posture.ec2.parse.fields import parse_network
from posture.model.network import Facet

Rows = Mapping[str, list[dict[str, Any]]]

# https://www.rfc-editor.org/rfc/rfc5737
STAND_INS = {"s3": "203.0.113.0/24", "dynamodb": "198.51.100.0/24"}
UNREAD = (
    "the addresses of S3 and DynamoDB are not known without credentials, and {} treats some public "
    "addresses differently; read the Region with --live or --from"
)


def build_catalogue(region: str) -> dict[str, list[dict[str, Any]]]:
    """Build the rows of the services and AWS-managed prefix lists of a Region."""
    services = [
        _build_service(name.format(region=region), kind, service, region)
        for name, service in _load_services().items()
        for kind in service["types"]
    ]
    lists = [
        {
            "PrefixListId": f"pl-{short}",
            "PrefixListName": f"com.amazonaws.{region}.{short}",
            "Cidrs": [block],
        }
        for short, block in STAND_INS.items()
    ]
    return {Facet.SERVICES.value: services, Facet.AWS_PREFIX_LISTS.value: lists}


@lru_cache(maxsize=1)
def _load_services() -> dict[str, dict[str, Any]]:
    text = files("posture_cli.plan").joinpath("services.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = json.loads(text)
    return loaded


def _build_service(name: str, kind: str, service: Mapping[str, Any], region: str) -> dict[str, Any]:
    names = [each.format(region=region) for each in service["names"]]
    own = names if kind == "Interface" else []  # a gateway endpoint has no private DNS name
    return {
        "ServiceName": name,
        "ServiceType": [{"ServiceType": kind}],
        "Owner": "amazon",
        "PrivateDnsNames": [{"PrivateDnsName": each} for each in own],
        "VpcEndpointPolicySupported": service["policy"],  # None: unknown
    }


def find_selective_resource(rows: Mapping[str, list[dict[str, Any]]]) -> str | None:
    """Find a resource that tells one public address from another; None if there is none.

    Then the stand-ins are not exact.
    """
    return next((owner for owner, cidr in _list_blocks(rows) if _is_public(cidr)), None)


def _list_blocks(rows: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[str, str]]:
    for table in rows.get(Facet.ROUTE_TABLES.value, ()):
        for route in table.get("Routes", ()):
            if route.get("GatewayId") != "local":
                for name in ("DestinationCidrBlock", "DestinationIpv6CidrBlock"):
                    yield table["RouteTableId"], route.get(name, "")
    for acl in rows.get(Facet.NETWORK_ACLS.value, ()):
        for entry in acl.get("Entries", ()):
            yield acl["NetworkAclId"], entry.get("CidrBlock") or entry.get("Ipv6CidrBlock") or ""
    for listed in rows.get(Facet.PREFIX_LISTS.value, ()):
        for entry in listed.get("Entries", ()):
            yield listed["PrefixListId"], entry.get("Cidr", "")


def _is_public(cidr: str) -> bool:
    """Return whether a block holds some public IPv4 addresses, and not all."""
    block = AddressSet.of(filter(None, [parse_network(cidr)])) & PUBLIC & IPV4
    return bool(block) and not block >= PUBLIC & IPV4
