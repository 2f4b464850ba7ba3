"""The bytes of one source file, whatever its format: one open, one read, bounded decompression."""

from __future__ import annotations

import bz2
import errno
import hashlib
import os
import stat
import time
import zlib
from collections.abc import Callable
from copy import copy
from io import BytesIO
from typing import Any, Self

from spectral_zarr.errors import TRANSIENT_ERRNOS, CorruptFits, Truncated, Unreadable
from spectral_zarr.model import WHOLE, Part, SourceFile, most_unpacked

GZIP_MAGIC = b"\x1f\x8b"
BZIP2_MAGIC = b"BZh"
MOST_MEMBERS = 1000
PIECE = 1 << 20
MAGIC_BYTES = 8
"""What `read_raw` looks at to tell whether the rest is wanted."""
WHOLE_BYTES = 16 << 20
"""Files up to this are read at once: on a file system across a network, another look is another round trip."""


class RawFile:
    """The bytes of one source file.

    Attributes
    ----------
    name : str
        How the file is called in messages and in the store.
    path : str
        Where it is, '' for bytes that were made in memory.
    companions : tuple of SourceFile
        Further files of the same spectrum, not opened.
    data : bytes
        Content, decompressed when the file is gzipped or packed by bzip2.
    size : int
        Bytes on disk.
    part : Part
        Which of its spectra are to be read, where the reader reads parts.
    """

    part = WHOLE

    def __init__(self, raw: bytes, name: str, path: str = "", companions: tuple[SourceFile, ...] = ()) -> None:
        self.name = name
        self.path = path
        self.companions = companions
        self.size = len(raw)
        self._raw = raw
        self._digests: list[str] = []
        self.data = self._unpacked(raw)

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes on disk."""
        # The parts of one file share it.
        if not self._digests:
            self._digests.append(hashlib.sha256(self._raw).hexdigest())
        return self._digests[0]

    def of_part(self, part: Part) -> Self:
        """The same file, not read again, of which a part of the spectra is to be read."""
        found = copy(self)
        found.part = part
        return found

    def describe(self) -> str:
        """What the file holds in one line, for messages."""
        return f"{len(self.data)} bytes"

    def declared_bytes(self, head: bytes) -> int:
        """Bytes that the beginning of the unpacked content says that there are, 0 where it says nothing."""
        return 0

    def _unpacked(self, raw: bytes) -> bytes:
        if raw.startswith(GZIP_MAGIC):
            return self._unpack(raw, "gzip", GZIP_MAGIC, lambda: zlib.decompressobj(wbits=31))
        # A text may begin with the three letters; a bzip2 stream goes on with its block size and the digits of pi.
        if raw.startswith(BZIP2_MAGIC) and raw[3:4].isdigit() and raw[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
            return self._unpack(raw, "bzip2", BZIP2_MAGIC, bz2.BZ2Decompressor)
        return raw

    def _unpack(self, raw: bytes, form: str, magic: bytes, begin: Callable[[], Any]) -> bytes:
        limit = most_unpacked(len(raw))
        # Its buffer grows in place and becomes the result without a copy.
        unpacked = BytesIO()
        position = members = 0
        while raw.startswith(magic, position):
            members += 1
            if members > MOST_MEMBERS:
                raise CorruptFits(f"more than {MOST_MEMBERS} {form} members", path=self.name)
            stream = begin()
            while not stream.eof:
                room = limit - unpacked.tell() + 1
                # What zlib has not taken is offered again; bzip2 keeps it, and says when it wants more.
                wanting = getattr(stream, "needs_input", True)
                piece = raw[position : position + PIECE] if wanting else b""
                if wanting and not piece:
                    raise Truncated(f"the {form} stream ends early; fetch the file again", path=self.name)
                try:
                    part = stream.decompress(piece, min(PIECE, room))
                except (zlib.error, OSError) as error:
                    raise CorruptFits(f"the {form} stream is damaged: {error}", path=self.name) from error
                declared = 0 if unpacked.tell() else self.declared_bytes(part)
                unpacked.write(part)
                if max(declared, unpacked.tell()) > limit:
                    message = f"the {form} stream unpacks to more than {limit} bytes; unpack it by hand"
                    raise CorruptFits(message, path=self.name)
                position += len(piece) - len(stream.unused_data) - len(getattr(stream, "unconsumed_tail", b""))
        return unpacked.getvalue()


RETRY_PAUSES = (0.1, 0.5, 1.0)
"""Seconds to wait before a file is read again that a file server failed to give."""


def read_raw(path: str, name: str, *, leave: Callable[[bytes], bool] | None = None) -> bytes:
    """Read a regular file with one open and one read, and again where a file server fails for a moment.

    Parameters
    ----------
    path : str
        Where the file is.
    name : str
        How it is called in messages.
    leave : callable, optional
        Told the first bytes, whether the rest is left unread, because the format is read by parts.

    Raises
    ------
    Unreadable
        When the operating system refuses, or it is no regular file.
    """
    for pause in RETRY_PAUSES:
        try:
            return _read(path, name, leave)
        except _Again:
            time.sleep(pause)
    return _read(path, name, leave)


class _Again(Unreadable):
    """The next attempt may succeed."""


def _read(path: str, name: str, leave: Callable[[bytes], bool] | None) -> bytes:
    try:
        # Without O_NONBLOCK, opening a FIFO that happens to end in .fits would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("not a regular file", path=name)
            large = leave is not None and status.st_size > WHOLE_BYTES
            if leave is not None and large and leave(head := os.pread(descriptor, MAGIC_BYTES, 0)):
                return head
            raw = _read_all(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except ValueError as error:
        raise Unreadable(f"cannot be opened: {error}", path=name) from error
    except OSError as error:
        if error.errno in (errno.ENFILE, errno.EMFILE, errno.ENOMEM):
            raise
        if error.errno in TRANSIENT_ERRNOS:
            message = f"cannot be read, also when tried again: {error.strerror}; mend it and use --resume"
            raise _Again(message, path=name) from error
        raise Unreadable(f"cannot be read: {error.strerror}; check the path and its permissions", path=name) from error
    return raw[:MAGIC_BYTES] if leave is not None and not large and leave(raw) else raw


def _read_all(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    if len(data) == size:
        return data
    parts = [data]
    while part := os.read(descriptor, max(size - len(data), PIECE)):
        parts.append(part)
    return b"".join(parts)
