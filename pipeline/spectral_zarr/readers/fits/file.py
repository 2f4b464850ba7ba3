"""A FITS file in memory: HDUs found by header arithmetic against the file size."""

from __future__ import annotations

import re
from functools import cached_property

from spectral_zarr.errors import CorruptFits, DamagedData, EmptyFile, NotFits, Truncated
from spectral_zarr.model import SourceFile
from spectral_zarr.readers.fits.cards import BLOCK, CARD
from spectral_zarr.readers.fits.hdu import Hdu
from spectral_zarr.readers.fits.header import Header
from spectral_zarr.readers.fits.integrity import PADDING, REMEDY
from spectral_zarr.readers.fits.reference import Content
from spectral_zarr.readers.fits.scan import scan_header
from spectral_zarr.readers.fits.structure import Structure
from spectral_zarr.readers.raw import RawFile, read_raw

_FIRST_CARD = re.compile(rb"^SIMPLE  = +[TF] *(?:/|$)", re.DOTALL)

MOST_HDUS = 100_000


class FitsFile(RawFile):
    """The bytes of one file and its HDUs."""

    def __init__(
        self,
        raw: bytes,
        name: str,
        path: str = "",
        companions: tuple[SourceFile, ...] = (),
        *,
        check_damage: bool = True,
    ) -> None:
        super().__init__(raw, name, path, companions)
        self.hdus = _find_hdus(Content(self.data, name, check_damage=check_damage))

    def declared_bytes(self, head: bytes) -> int:
        """End of the last HDU whose header is in the beginning of the file."""
        if not _FIRST_CARD.match(head[:CARD]):
            return 0
        position = hdu = 0
        while position < len(head) and (hdu == 0 or head.startswith(b"XTENSION=", position)):
            try:
                position = _end_of_data(*scan_header(head, position, self.name, hdu), position)[1]
            except (CorruptFits, DamagedData, Truncated):
                # A header that goes on, or that will be refused with all of the file.
                break
            hdu += 1
        return position

    @property
    def primary(self) -> Header:
        """Header of the primary HDU."""
        return self.hdus[0].header

    @cached_property
    def names(self) -> frozenset[str]:
        """EXTNAMEs of all HDUs in upper case, with '' for those without one."""
        return frozenset([hdu.name for hdu in self.hdus])

    def named(self, name: str) -> Hdu | None:
        """First HDU with an EXTNAME, compared without case."""
        wanted = name.upper()
        return next((hdu for hdu in self.hdus if hdu.name == wanted), None) if wanted in self.names else None

    def describe(self) -> str:
        """HDU names, shapes and column names in one line, for messages."""
        parts = []
        for hdu in self.hdus[:8]:
            columns = f" ({', '.join(c.name for c in hdu.layout.columns[:8])})" if hdu.kind == "table" else ""
            parts.append(f"{hdu.index} {hdu.name or hdu.kind} {'x'.join(map(str, hdu.shape)) or 'empty'}{columns}")
        return "; ".join(parts) + ("; ..." if len(self.hdus) > 8 else "")


def open_fits(
    path: str, name: str = "", companions: tuple[SourceFile, ...] = (), *, check_damage: bool = True
) -> FitsFile:
    """Read a FITS file, gzipped or not, with one open and one read.

    Parameters
    ----------
    path : str
        Where the file is.
    name : str, optional
        How it is called in messages; the path by default.
    companions : tuple of SourceFile
        Further files of the same spectrum.
    check_damage : bool
        Whether the size of the file, and padding and DATASUM of the HDUs that are read, are checked.

    Returns
    -------
    FitsFile

    Raises
    ------
    SourceError
        `Unreadable`, `EmptyFile`, `NotFits`, `Truncated` or `CorruptFits`.
    """
    raw = read_raw(path, name or path)
    return FitsFile(raw, name or path, path, companions, check_damage=check_damage)


def _find_hdus(content: Content) -> tuple[Hdu, ...]:
    data, name = content.data, content.name
    if not data:
        raise EmptyFile("the file has no bytes; fetch it again", path=name)
    if not _FIRST_CARD.match(data[:CARD]):
        raise NotFits("the file does not begin with a SIMPLE card; remove it from the sources", path=name)
    hdus: list[Hdu] = []
    position = 0
    while position < len(data):
        if hdus and data[position : position + 9] != b"XTENSION=":
            if data[position:].strip(PADDING):
                message = "bytes after the last HDU are not an extension; the file is damaged (a text-mode copy?)"
                raise CorruptFits(message, path=name, hdu=len(hdus))
            break
        if len(hdus) >= MOST_HDUS:
            raise CorruptFits(f"more than {MOST_HDUS} HDUs", path=name)
        header, structure = scan_header(data, position, name, len(hdus))
        data_start, whole = _end_of_data(header, structure, position)
        end = data_start + structure[2]
        if end > len(data):
            message = f"the HDU ends at byte {end} and the file at {len(data)}; fetch the file again"
            raise Truncated(message, path=name, hdu=len(hdus))
        hdus.append(Hdu(content, len(hdus), header, structure, data_start))
        position = whole
    if len(data) % BLOCK and len(data) != end and content.check_damage:
        _refuse_size(len(data), position, name, len(hdus) - 1)
    return tuple(hdus)


def _end_of_data(header: Header, structure: Structure, start: int) -> tuple[int, int]:
    """Where the data of the HDU that begins at `start` begin, and where their last block ends."""
    data_start = start + -(-(len(header.raw) + CARD) // BLOCK) * BLOCK
    return data_start, data_start + -(-structure[2] // BLOCK) * BLOCK


def _refuse_size(size: int, whole: int, name: str, hdu: int) -> None:
    """Refuse a file that ends neither with a block nor with its last data, which some writers leave without padding."""
    if size < whole:
        message = f"the file ends at byte {size}, within the padding that ends at {whole}; {REMEDY}"
        raise Truncated(message, path=name, hdu=hdu)
    message = f"the file has {size - whole} bytes after its last HDU, which are no blocks of {BLOCK}; {REMEDY}"
    raise DamagedData(message, path=name, hdu=hdu)
