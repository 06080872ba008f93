"""The embedded AWS over HTTP, for processes and containers beside this one."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

LOCAL = "127.0.0.1"
ANYWHERE = "0.0.0.0"  # noqa: S104 - the caller chose it


@contextmanager
def serve(host: str = LOCAL, port: int = 0) -> Iterator[str]:
    """Serve what moto holds in this process; give the URL at which this machine reaches it.

    Raises:
        OSError: the address is in use, or not one of this machine.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line a request
    _require_free(host, port)
    server = ThreadedMotoServer(ip_address=host, port=port, verbose=False)
    server.start()
    try:
        bound, number = server.get_host_and_port()
        yield f"http://{LOCAL if bound == ANYWHERE else bound}:{number}"
    finally:
        server.stop()


def _require_free(host: str, port: int) -> None:
    """Try the address first: moto's server fails in a thread of its own, which nobody hears of."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = error.strerror or "not an address of this machine"
        raise OSError(error.errno or errno.EADDRNOTAVAIL, reason, f"{host}:{port}") from error
