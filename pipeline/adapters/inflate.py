"""Decompression with a limit: what is past it is never unpacked, so a bomb stays as small as it came."""

import zlib
from collections.abc import Iterator

_GZIP = zlib.MAX_WBITS | 16
_PIECE = 64 * 1024


class Broken(Exception):
    """The stream is not in the encoding it claims, or ends too early."""


def inflate(chunks: Iterator[bytes], encoding: str, limit: int) -> Iterator[bytes]:
    """Yield the decoded body in pieces; stop soon after `limit` bytes, so that the sum tells whether it was passed.

    Understands `gzip` and no encoding. Raises `Broken`.
    """
    name = encoding.strip().lower()
    if name not in ("", "identity", "gzip", "x-gzip"):
        raise Broken(f"the encoding {encoding!r} was not asked for")
    size = 0
    for piece in _gunzip(chunks) if name.endswith("gzip") else chunks:
        size += len(piece)
        yield piece
        if size > limit:
            return


def _gunzip(chunks: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    began = False
    for chunk in chunks:
        waiting = chunk
        while waiting:
            if unpacker.eof:  # a gzip body may have several members (RFC 1952, 2.2), and zeros behind them
                waiting = waiting.lstrip(b"\0")
                if not waiting:
                    break
                unpacker = zlib.decompressobj(_GZIP)
            began = True
            try:
                yield unpacker.decompress(waiting, _PIECE)
            except zlib.error as error:
                raise Broken(f"the body is no gzip: {error}") from error
            waiting = unpacker.unconsumed_tail or unpacker.unused_data
    if began and not unpacker.eof:
        raise Broken("the gzip body ends too early")
