"""The account that all tools look at: moto's, served on this machine by this process.

A call is a request that reached it. What answering costs is counted apart, in this process's own
seconds, so that it is not taken for a tool's.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from labelled.case import HOME  # before moto: it tells moto the account
from moto.core.responses import BaseResponse
from moto.server import ThreadedMotoServer
from werkzeug.serving import WSGIRequestHandler

from posture_cli.embedded.moto_patches import patch_moto

UNSUPPORTED = (
    "<Response><Errors><Error><Code>UnsupportedOperation</Code><Message>{}</Message></Error>"
    "</Errors><RequestID>r</RequestID></Response>"
)
ANSWER = BaseResponse.call_action
SERVE = WSGIRequestHandler.run_wsgi


class Emulated:
    """The account while it is served.

    Attributes:
        url: where.
        session: a session of the account.
        calls: the requests since the last `clear`, by service.
        answering: seconds of CPU that answering them took.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = boto3.Session("compared", "compared", region_name=HOME)
        self.calls: Counter[str] = Counter()
        self.answering = 0.0

    def clear(self) -> None:
        """Count anew from here."""
        self.calls.clear()
        self.answering = 0.0

    def count(self, headers: Any) -> None:
        """Count a request by the service that its signature is for."""
        scope = headers.get("Authorization", "").partition("Credential=")[2]
        self.calls[(scope.split("/") + [""] * 4)[3] or "unsigned"] += 1


@contextmanager
def served() -> Iterator[Emulated]:
    """Serve the account; boto3 in this process speaks to it as well."""
    patch_moto()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    setattr(BaseResponse, "call_action", _answer)  # noqa: B010 - a method is replaced
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    account = Emulated(f"http://{host}:{port}")
    os.environ["AWS_ENDPOINT_URL"] = account.url

    def run(handler: WSGIRequestHandler) -> None:
        account.count(handler.headers)  # first: once it is answered, the next tool may be at it
        started = time.thread_time()
        SERVE(handler)
        account.answering += time.thread_time() - started

    setattr(WSGIRequestHandler, "run_wsgi", run)  # noqa: B010 - a method is replaced
    try:
        yield account
    finally:
        setattr(WSGIRequestHandler, "run_wsgi", SERVE)  # noqa: B010
        server.stop()


def _answer(self: BaseResponse) -> Any:
    """Refuse what moto lacks as AWS refuses what a region lacks, instead of failing at it."""
    try:
        return ANSWER(self)
    except NotImplementedError as error:
        return 400, {}, UNSUPPORTED.format(error)
