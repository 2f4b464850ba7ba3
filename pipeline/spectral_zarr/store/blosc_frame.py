"""What the header of a Blosc 1 frame promises, checked before a decoder that trusts it may run."""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<BBBBIII")
_MEMCPYED = 0x02
_FORMAT_VERSIONS = (1, 2)
_SHUFFLES = {"noshuffle": 0x00, "shuffle": 0x01, "bitshuffle": 0x04}
_ANY_SHUFFLE = 0x05
_COMPRESSORS = {"blosclz": 0, "lz4": 1, "lz4hc": 1, "snappy": 2, "zlib": 3, "zstd": 4}


def frame_problem(
    payload: bytes, nbytes: int | None, *, itemsize: int = 1, codec: tuple[str, int, str] | None = None
) -> str | None:
    """Why a payload is not a Blosc frame of the expected size.

    The decoder reads as many bytes as the header names, whatever the length of the buffer, and ends the process
    with a segmentation fault when they are not there.

    Parameters
    ----------
    payload : bytes
        Content of a chunk file.
    nbytes : int, optional
        Size that the decoded chunk must have, None when it is not known (text).
    itemsize : int
        Bytes of one element. Frames may also say 1: not every writer tells the compressor.
    codec : (str, int, str), optional
        Compressor, level and shuffle that the array names, None when they are not known.

    Returns
    -------
    str or None
        None for a frame that may be decoded.

    Notes
    -----
    Layout of the header: README_CHUNK_FORMAT of c-blosc 1. With another shuffle or element size the decoder
    returns other values and no error, so the header must agree with the array in them.
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
    if decoded == 0:
        return None
    if typesize == 0:
        return "elements of no bytes"
    if blocksize == 0 or blocksize > decoded:
        return f"blocks of {blocksize} bytes in a frame of {decoded}"
    if flags & _MEMCPYED:
        return None if encoded == decoded + _HEADER.size else "a stored frame of another length"
    if typesize not in (1, itemsize):
        return f"elements of {typesize} bytes instead of {itemsize}"
    if codec is not None and (problem := _flags_problem(flags, codec)) is not None:
        return problem
    blocks = -(-decoded // blocksize)
    first = _HEADER.size + 4 * blocks
    if first > encoded:
        return f"the table of {blocks} blocks does not fit into {encoded} bytes"
    if not all(first <= start < encoded for start in struct.unpack_from(f"<{blocks}I", payload, _HEADER.size)):
        return "a block begins outside the frame"
    return None


def _flags_problem(flags: int, codec: tuple[str, int, str]) -> str | None:
    cname, _, shuffle = codec
    if flags >> 5 != _COMPRESSORS.get(cname, flags >> 5):
        return f"compressed by another compressor than {cname}"
    if flags & _ANY_SHUFFLE != _SHUFFLES.get(shuffle, flags & _ANY_SHUFFLE):
        return f"another shuffle than {shuffle}"
    return None
