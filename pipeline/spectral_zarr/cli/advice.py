"""The configuration that inspected files need: what they tell is filled in, the rest stands as comments."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from spectral_zarr.errors import UsageError

if TYPE_CHECKING:
    from spectral_zarr.cluster.inspect import Inspection, ProductGroup

_ASKED = re.compile(r"set (?P<keys>\w+(?:(?:, | or | and )\w+)*) in \[(?P<table>readers(?:\.\w+)?)\]")
_ECHELLE = re.compile(r"\[readers\] echelle")

CHOICES = {
    "medium": '"air"  # or "vacuum"',
    "wavelength_unit": '"Angstrom"  # or "nm", "um", "m"',
    "flux_unit": '"erg / (s cm2 Angstrom)"  # or "Jy", "W m-2 um-1", "ct", "relative flux", ...',
    "wavelength": '"NAME"  # the column or array of wavelengths',
    "flux": '"NAME"  # the column or array of fluxes',
    "uncertainty": '"NAME"  # the column or array of one sigma',
    "ivar": '"NAME"  # the column or array of inverse variances',
    "hdu": "1  # its number from 0, its EXTNAME, or a list of them",
    "rows": '["wavelength", "flux", "uncertainty"]  # also "ivar", "variance", "continuum", and "" for none',
    "echelle": '"rows"  # each order is a spectrum',
    "wavelength_file": '"WAVE.fits"  # the file of wavelengths of a model grid',
    "param_names": '["teff", "logg", "feh"]  # the columns of the table of parameters',
}
"""Values of a key, the most usual one first."""

_TABLES = {"generic-table": "readers.table", "generic-arrays": "readers.arrays"}
_IMAGES = ("generic-image", "generic-rows", "generic-iraf")


def write_configuration(path: Path, found: Inspection) -> None:
    """Write the configuration of inspected files.

    Raises
    ------
    UsageError
        When the file exists already.
    """
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(configuration(found))
    except FileExistsError as error:
        raise UsageError("the configuration exists already; name another file", path=str(path)) from error


def configuration(found: Inspection) -> str:
    """Text of a configuration: a line for what the files tell, a comment with choices for what they do not."""
    lines: dict[str, dict[str, str]] = {}
    readers = dict.fromkeys(group.reader.split("@")[0] for group in found.groups)
    # What is rejected may need another reader.
    if readers and not found.rejections:
        lines["readers"] = {"only": f"only = [{', '.join(_quoted(reader) for reader in readers)}]"}
    for table in ("readers.table", "readers.image", "readers.arrays"):
        groups = [group for group in found.groups if _table(group) == table]
        if groups:
            lines[table] = _known(groups)
    for rejection in found.rejections:
        for table, key in _asked(rejection.reason):
            lines.setdefault(table, {}).setdefault(key, f"# {key} = {CHOICES[key]}")
    written = [f"[{table}]\n" + "".join(f"{line}\n" for line in keys.values()) for table, keys in lines.items() if keys]
    return "# What the files tell is filled in; take the # away from what they need.\n\n" + "\n".join(written)


def _table(group: ProductGroup) -> str:
    reader = group.reader.split("@")[0]
    return "readers.image" if reader in _IMAGES else _TABLES.get(reader, "")


def _known(groups: list[ProductGroup]) -> dict[str, str]:
    """Unit and medium, where all groups of a kind of file have one."""
    units, media = {group.flux_unit for group in groups}, {group.medium for group in groups}
    lines = {}
    if len(units) == 1:
        lines["flux_unit"] = f"flux_unit = {_quoted(*units)}"
    if media == {"unknown"}:
        lines["medium"] = f"# medium = {CHOICES['medium']}"
    elif len(media) == 1:
        lines["medium"] = f"medium = {_quoted(*media)}"
    return lines


def _asked(reason: str) -> Iterable[tuple[str, str]]:
    """Tables and keys that the reason of a rejection names."""
    for match in _ASKED.finditer(reason):
        for key in re.split(r", | or | and ", match["keys"]):
            if key in CHOICES:
                yield match["table"], key
    if _ECHELLE.search(reason):
        yield "readers", "echelle"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
