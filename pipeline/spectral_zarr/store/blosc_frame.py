"""What the header of a Blosc 1 frame promises, checked before a decoder that trusts it may run."""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<BBBBIII")
_MEMCPYED = 0x02
_FORMAT_VERSIONS = (1, 2)


def frame_problem(payload: bytes, nbytes: int | None, *, itemsize: int | None = None) -> str | None:
    """Why a payload is not a Blosc frame of the expected size.

    The decoder reads as many bytes as the header names, whatever the length of the buffer, and ends the process
    with a segmentation fault when they are not there.

    Parameters
    ----------
    payload : bytes
        Content of a chunk file.
    nbytes : int, optional
        Size that the decoded chunk must have, None when it is not known (text).
    itemsize : int, optional
        Bytes of one element, which must divide the decoded size.

    Returns
    -------
    str or None
        None for a frame that may be decoded.

    Notes
    -----
    Layout of the header: README_CHUNK_FORMAT of c-blosc 1.
    """
    if len(payload) < _HEADER.size:
        return f"{len(payload)} bytes are too few for a Blosc header"
    version, _, flags, typesize, decoded, blocksize, encoded = _HEADER.unpack_from(payload)
    if version not in _FORMAT_VERSIONS:
        return f"not a Blosc frame: format version {version}"
    if encoded != len(payload):
        return f"the header promises {encoded} bytes, the file has {len(payload)}"
    if nbytes is not None and decoded != nbytes:
        return f"decodes to {decoded} bytes instead of {nbytes}"
    if itemsize and decoded % itemsize:
        return f"decodes to {decoded} bytes, not a multiple of {itemsize}"
    if decoded == 0:
        return None
    if typesize == 0 or blocksize == 0 or blocksize > decoded:
        return f"blocks of {blocksize} bytes in a frame of {decoded}"
    if flags & _MEMCPYED:
        return None if encoded == decoded + _HEADER.size else "a stored frame of another length"
    blocks = -(-decoded // blocksize)
    first = _HEADER.size + 4 * blocks
    if first > encoded:
        return f"the table of {blocks} blocks does not fit into {encoded} bytes"
    if not all(first <= start < encoded for start in struct.unpack_from(f"<{blocks}I", payload, _HEADER.size)):
        return "a block begins outside the frame"
    return None
