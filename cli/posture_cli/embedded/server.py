"""Serve the emulated AWS over HTTP, for other processes and containers."""

import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

LOCAL = "127.0.0.1"
ANYWHERE = "0.0.0.0"  # noqa: S104 - the caller chooses the address


@contextmanager
def serve(host: str = LOCAL, port: int = 0) -> Iterator[str]:
    """Serve this process's moto; yield the URL at which this machine reaches it.

    Args:
        host: The address to bind.
        port: The port to bind; 0 takes a free one.

    Raises:
        OSError: The address is in use, or not one of this machine.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no log line per request
    _require_free(host, port)
    server = ThreadedMotoServer(ip_address=host, port=port, verbose=False)
    server.start()
    try:
        bound, number = server.get_host_and_port()
        yield f"http://{LOCAL if bound == ANYWHERE else bound}:{number}"
    finally:
        server.stop()


def _require_free(host: str, port: int) -> None:
    """Try the address first: moto's server would fail in its own thread, without an exception."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        reason = error.strerror or "not an address of this machine"
        raise OSError(error.errno or errno.EADDRNOTAVAIL, reason, f"{host}:{port}") from error
