"""The account that all tools read: moto's, served by this process.

A call is a request that reached it. The CPU seconds of answering are counted apart, so they are not
attributed to a tool.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from labelled.case import HOME  # before moto: it sets moto's account
from moto.core.responses import BaseResponse
from moto.ec2.models.managed_prefixes import ManagedPrefixList
from moto.ec2.models.network_acls import NetworkAcl, NetworkAclEntry
from werkzeug.serving import WSGIRequestHandler

from posture_cli.embedded.moto_patches import patch_moto
from posture_cli.embedded.server import serve

UNSUPPORTED = (
    "<Response><Errors><Error><Code>UnsupportedOperation</Code><Message>{}</Message></Error>"
    "</Errors><RequestID>r</RequestID></Response>"
)
ANSWER = BaseResponse.call_action
SERVE = WSGIRequestHandler.run_wsgi


class EmulatedAccount:
    """The account while it is served.

    Attributes:
        url: its endpoint.
        session: a session of the account.
        calls: the requests since the last `reset_counts`, by service.
        latency: the seconds that each request waits before it is answered.
        answering: the CPU seconds of answering them.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = boto3.Session("compared", "compared", region_name=HOME)
        self.calls: Counter[str] = Counter()
        self.latency = 0.0
        self.answering = 0.0

    def reset_counts(self) -> None:
        """Count from zero."""
        self.calls.clear()
        self.answering = 0.0

    def count(self, headers: Any) -> None:
        """Count a request by the service of its signature."""
        scope = headers.get("Authorization", "").partition("Credential=")[2]
        self.calls[(scope.split("/") + [""] * 4)[3] or "unsigned"] += 1


@contextmanager
def serve_account() -> Iterator[EmulatedAccount]:
    """Serve the account; boto3 in this process uses it as well."""
    patch_moto()
    # DescribePrefixLists returns the blocks, and moto does not; Custodian reads them there.
    setattr(ManagedPrefixList, "Cidrs", property(_list_blocks))  # noqa: B010 - an attribute is added
    # DescribeNetworkAcls returns entries by number, and Custodian lets the first one decide.
    setattr(NetworkAcl, "entries", property(_sort_entries))  # noqa: B010 - as above
    with patch.object(BaseResponse, "call_action", _answer), serve() as url:
        account = EmulatedAccount(url)
        os.environ["AWS_ENDPOINT_URL"] = url

        def run(handler: WSGIRequestHandler) -> None:
            account.count(handler.headers)  # first: once answered, the next tool may already run
            time.sleep(account.latency)
            started = time.thread_time()
            SERVE(handler)
            account.answering += time.thread_time() - started

        # Connections stay open, as AWS's do, and answers are not held back on them.
        with (
            patch.object(WSGIRequestHandler, "run_wsgi", run),
            patch.object(WSGIRequestHandler, "protocol_version", "HTTP/1.1"),
            patch.object(WSGIRequestHandler, "disable_nagle_algorithm", True),
        ):
            yield account


def _answer(self: BaseResponse) -> Any:
    """Return the error of an unsupported Region for each call that moto does not implement."""
    try:
        return ANSWER(self)
    except NotImplementedError as error:
        return 400, {}, UNSUPPORTED.format(error)


def _list_blocks(self: ManagedPrefixList) -> list[str]:
    """Return the blocks of S3's or DynamoDB's list; Custodian requires those of every list."""
    if not str(self.prefix_list_name).endswith((".s3", ".dynamodb")):
        return []
    return [each["Cidr"] for found in self.entries.values() for each in found]


def _sort_entries(self: NetworkAcl) -> list[NetworkAclEntry]:
    """Return the entries of an ACL, outbound before inbound, in the order in which they decide."""
    return sorted(self.network_acl_entries, key=lambda each: (not each.egress, each.rule_number))
