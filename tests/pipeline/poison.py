"""A reader that ends or hangs its process at files with a POISON card, for processes that start from now on."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.io import fits

READER = """
import ctypes, os, signal, time
from spectral_zarr.readers import HeaderPolicy


def segfault():
    ctypes.string_at(0)


def hang_with_lock():
    ctypes.PyDLL(None).sleep(3600)


def eat():
    held = []
    while True:
        held.append(bytearray(b"x") * (32 << 20))


WAYS = {
    "segfault": segfault,
    "abort": os.abort,
    "exit": lambda: os._exit(3),
    "hang": lambda: time.sleep(3600),
    "hang-with-lock": hang_with_lock,
    "memory": eat,
}


class Poisoned:
    name = "poisoned"
    version = "1"
    title = "files that end their reader"
    priority = -1000
    policy = HeaderPolicy()

    def claims(self, file, options):
        way = file.primary.text("POISON") if hasattr(file, "hdus") else ""
        once = os.environ.get("POISON_ONCE")
        if once and way:
            try:
                open(os.path.join(once, way), "x").close()
            except FileExistsError:
                return False
        if way:
            WAYS[way]()
        return False

    def read(self, file, options, policy):
        yield from ()


READER = Poisoned()
"""

WAYS = ("segfault", "abort", "exit", "hang", "hang-with-lock", "memory")


def install(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Announce the reader as a package of somebody else would."""
    metadata = directory / "poisoned_reader-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: poisoned_reader\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[spectral_zarr.readers]\npoisoned = poisoned_reader:READER\n")
    (directory / "poisoned_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(directory)
    monkeypatch.setenv("PYTHONPATH", str(directory), prepend=":")


def poison(path: Path, way: str) -> None:
    """Make a file end whoever reads it."""
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["POISON"] = way
