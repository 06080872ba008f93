"""Packs what the page unpacks when it is looked at: JSON, compressed, as text that HTML can hold.

Base64 has no character that HTML interprets, so no text of a finding can end the element that it is
in. A browser unpacks it with DecompressionStream.
https://developer.mozilla.org/en-US/docs/Web/API/DecompressionStream
"""

import base64
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

CHUNK = 100  # details that are unpacked together
QUICK = 1  # of zlib's levels: for what is compressed again


class DetailStore:
    """Keeps details in memory, each compressed, until their order is known.

    They resemble each other, so the first one is the dictionary of all.
    """

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._first = b""

    def add(self, detail: object) -> int:
        """Keep a detail.

        Returns:
            Its number.
        """
        text = dump(detail).encode()
        self._first = self._first or text
        packer = zlib.compressobj(QUICK, zdict=self._first)
        self._kept.append(packer.compress(text) + packer.flush())
        return len(self._kept) - 1

    def pack(self, order: Iterable[int]) -> Iterator[str]:
        """Pack the details in an order, `CHUNK` of them in each text: a JSON array."""
        chunk: list[str] = []
        for number in order:
            unpacker = zlib.decompressobj(zdict=self._first)
            chunk.append(unpacker.decompress(self._kept[number]).decode())
            if len(chunk) == CHUNK:
                yield pack_array(chunk)
                chunk = []
        if chunk:
            yield pack_array(chunk)


def pack(value: object) -> str:
    """Pack a value that JSON can hold."""
    return _pack_text(dump(value))


def pack_array(elements: Iterable[str]) -> str:
    """Pack an array whose elements are JSON already."""
    return _pack_text(f"[{','.join(elements)}]")


def unpack(packed: str) -> Any:
    """Return the value that was packed."""
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def dump(value: object) -> str:
    """Return a value as compact JSON; what JSON does not know becomes text."""
    return json.dumps(value, default=str, separators=(",", ":"))


def _pack_text(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()
