"""One region of one account as the rows of EC2's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any

from posture.ec2.errors import NOT_RECORDED
from posture.lean_dataclass import dataclass

Row = Mapping[str, Any]  # as boto3 returns it, timestamps as datetimes


@dataclass(frozen=True, slots=True)
class MissingRows:
    """Rows of an operation that are not there, so that nothing may be concluded from their absence.

    `of` is what they belong to: the id of a VPC, a prefix list or an endpoint service, or another
    region whose services were asked for; "" means that any row of the operation may be missing.
    `reason` is a sentence for people. `code` is the error code that AWS gave, if AWS did.
    """

    operation: str
    reason: str
    of: str = ""
    code: str = NOT_RECORDED


@dataclass(frozen=True, slots=True)
class RecordedRegion:
    """The rows of a region by the name of the EC2 operation, such as `DescribeSubnets`.

    An operation that is not in `rows` is missing entirely. A row of an operation that answers for
    one id at a time is the whole answer with that id: `{"VpcId": "vpc-1", "EnableDnsSupport":
    {"Value": True}, "EnableDnsHostnames": {"Value": False}}` of DescribeVpcAttribute,
    `{"PrefixListId": "pl-1", "Entries": [{"Cidr": "10.0.0.0/8"}]}` of GetManagedPrefixListEntries,
    `{"ServiceId": "vpce-svc-1", "AllowedPrincipals": [{"Principal": "*"}]}` of
    DescribeVpcEndpointServicePermissions.

    Ids may be symbols, as those of resources that a plan will create.
    """

    account: str
    region: str
    observed_at: datetime
    rows: Mapping[str, Sequence[Row]]
    missing: Sequence[MissingRows] = field(default=())
