"""The synthetic AWS in a process of its own, so that what asks it is measured alone.

Run: `.venv/bin/python benchmarks/served_aws.py N`; prints its port, then serves a region of N VPCs
until it is ended. `GET /` tells how often each operation was called since the last time.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from synthetic_aws import SyntheticAws
from world import region_of


def handler_of(aws: SyntheticAws) -> type[BaseHTTPRequestHandler]:
    """Give what answers requests out of a synthetic AWS."""

    class Handler(BaseHTTPRequestHandler):
        """EC2's and DynamoDB's wire."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            """Answer a call: DynamoDB's has its operation in a header, EC2's in the body."""
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            action = parse_qs(body)["Action"][0] if not target else ""
            self._send(*aws.answer("dynamodb" if target else "ec2", target or action, body))

        def do_GET(self) -> None:
            """Tell the calls, and forget them."""
            self._send(200, json.dumps(aws.calls).encode())
            aws.calls.clear()

        def log_message(self, *_: object) -> None:
            """Say nothing of each request."""

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):  # whoever asked gave up
                self.wfile.write(body)

    return Handler


def main(vpcs: int) -> None:
    """Serve until ended."""
    _, aws = region_of(vpcs)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(aws))
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
