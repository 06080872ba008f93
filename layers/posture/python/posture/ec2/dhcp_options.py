"""Reads DHCP option sets, each once: EC2 has no operation that modifies a set.

https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSet.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from posture.ec2.describe import DHCP_OPTIONS, Reading, describe
from posture.model.network import DhcpOptions, Vpc

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


class DhcpOptionsCache:
    """The option sets of one region that were read so far."""

    def __init__(self, ec2: EC2Client) -> None:
        self._ec2 = ec2
        self._known: dict[str, DhcpOptions] = {}

    def read(self, vpcs: Iterable[Vpc]) -> Reading[DhcpOptions]:
        """Return the option sets of VPCs, which are read if one is not known.

        The DNS servers of a VPC that has the default option set are known without it.

        Raises:
            ClientError, BotoCoreError: throttling, a server error or a timeout outlasted the
                retries.
        """
        wanted = {each.dhcp_options_id for each in vpcs if each.dns_servers is None}
        reading: Reading[DhcpOptions] = Reading()
        if wanted - self._known.keys():
            reading = describe(self._ec2, DHCP_OPTIONS)
            self._known |= {each.id: each for each in reading.items}
        return replace(
            reading,
            items=tuple(self._known[each] for each in sorted(wanted & self._known.keys())),
        )
