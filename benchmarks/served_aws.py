"""Serve the synthetic AWS from a process of its own, so that its client is measured alone.

Run: `.venv/bin/python benchmarks/served_aws.py N`; prints its port, then serves a region of N VPCs
until it is terminated. `GET /` returns the calls by operation since the last time.
"""

import json
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from synthetic_aws import SyntheticAws
from synthetic_region import build_region


def build_handler(aws: SyntheticAws) -> type[BaseHTTPRequestHandler]:
    """Return a handler class that answers requests from a synthetic AWS."""

    class Handler(BaseHTTPRequestHandler):
        """Speaks the protocols of EC2 and DynamoDB."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            """Answer a call: DynamoDB names the operation in a header, EC2 in the body."""
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            action = parse_qs(body)["Action"][0] if not target else ""
            self._send(*aws.answer("dynamodb" if target else "ec2", target or action, body))

        def do_GET(self) -> None:
            """Return the calls and reset them."""
            self._send(200, json.dumps(aws.calls).encode())
            aws.calls.clear()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):  # the client gave up
                self.wfile.write(body)

    return Handler


def main(vpcs: int) -> None:
    """Serve until terminated."""
    _, aws = build_region(vpcs)
    server = ThreadingHTTPServer(("127.0.0.1", 0), build_handler(aws))
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
