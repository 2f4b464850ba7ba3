"""What a mutant is: a good store, one damage, and what the validator must say of it; and the kinds of damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import zarr

from spectral_zarr.contract.findings import Severity

from .good_stores import CUBES, FORMAT_2, Content, Layout, create, index_of, modelled, observed, ragged, text

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
HOUSE = (WARNING, ERROR)
"""Severity of rules where the contract is silent: a warning, and an error when strict."""

Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Mutant:
    """A good store with one rule broken.

    Attributes
    ----------
    damage : callable
        Breaks a copy of the base.
    where : str or tuple of str
        Places that the findings of the rule name.
    severity : Severity or (Severity, Severity)
        By default and when strict, where they differ.
    rows : tuple of int
        The first five offending rows.
    count : int, optional
        Number of offending rows, when it is more than the rows named.
    says : str
        Part of the message.
    also : tuple of str
        Rules that break as a consequence, whatever the validator does.
    base : str
        Name of the good store.
    name : str
        Name of the damaged directory.
    question : mapping
        Arguments of `validate`.
    """

    rule: str
    title: str
    damage: Damage
    where: str | tuple[str, ...]
    severity: Severity | tuple[Severity, Severity] = ERROR
    rows: tuple[int, ...] = ()
    count: int | None = None
    says: str = ""
    also: tuple[str, ...] = ()
    base: str = "grid"
    name: str = "mutant.zarr"
    question: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Rule and title, as pytest shows them."""
        return f"{self.rule} {self.title}"

    @property
    def severities(self) -> tuple[Severity, Severity]:
        """Severity by default and when strict."""
        return self.severity if isinstance(self.severity, tuple) else (self.severity, self.severity)


def _cheap(content: Content) -> Content:
    n_spec, n_pix = content.arrays["signal/flux_raw"].shape
    empty = np.full((n_spec, n_pix), np.nan, "f4")
    return content.having(
        {**dict.fromkeys(CUBES[4:]), "continuum/continuum_model": empty, "continuum/method": text(["none"] * n_spec)}
    )


def _in_nm() -> Content:
    good = ragged(1030)
    scaled = good.having({"signal/wavelength": good.arrays["signal/wavelength"] / 10})
    return replace(scaled, units={**good.units, "signal/wavelength": "nm"})


BASES: dict[str, Callable[[], Content]] = {
    "grid": observed,
    "ragged": lambda: ragged(1030),
    "nm": _in_nm,
    "synthetic": lambda: modelled("synthetic"),
    "intensity": lambda: modelled("synthetic").having(
        {"metadata/flux_type": text(["intensity"] * 30), "params/mu": np.linspace(0.05, 1, 30)}
    ),
    "sharded": lambda: observed().having(inner=128),
    "consolidated": lambda: observed(30).having(consolidated=True),
    "format 2": lambda: observed().having(**FORMAT_2),
    "format 2 consolidated": lambda: observed(30).having(**FORMAT_2, consolidated=True),
    "bytes": lambda: observed(30).having(**FORMAT_2, fixed_text="S"),
    "high resolution": lambda: _cheap(observed(270, 10_240)),
    "long": lambda: _cheap(observed(8, 66_000)),
    "adu": lambda: observed(30, flux_unit="adu"),
}
"""The good stores that are damaged."""


def together(*damages: Damage) -> Damage:
    """One damage after another."""

    def damage(store: Path) -> None:
        for one in damages:
            one(store)

    return damage


def root_of(store: Path) -> zarr.Group:
    """The store, to be written to."""
    return zarr.open_group(str(store), mode="r+", use_consolidated=False)


def put(path: str, rows: Any, value: Any) -> Damage:
    """Write values into an array; `rows` is anything that selects."""

    def damage(store: Path) -> None:
        array = root_of(store)[path]
        values = array[...]
        values[rows] = value
        array[...] = values

    return damage


def layout_of(store: Path) -> Layout:
    """How to write arrays that fit to the others of the store."""
    return Layout() if (store / "zarr.json").exists() else Layout(**FORMAT_2)


def rewrite(path: str, change: Callable[[np.ndarray], np.ndarray] = lambda values: values, **options: Any) -> Damage:
    """Replace an array by another one with its attributes; options are those of `create` and of `Layout`."""

    def damage(store: Path) -> None:
        root = root_of(store)
        array = root[path]
        values, attributes = change(array[...]), dict(array.attrs)
        del root[path]
        _create(store, path, values, options)
        root_of(store)[path].attrs.update(attributes)

    return damage


def add(path: str, values: np.ndarray, **options: Any) -> Damage:
    """Write one more array."""
    return lambda store: _create(store, path, values, options)


def _create(store: Path, path: str, values: np.ndarray, options: Mapping[str, Any]) -> None:
    of_layout = {key: value for key, value in options.items() if key in Layout.__dataclass_fields__}
    others = {key: value for key, value in options.items() if key not in of_layout}
    if values.dtype.kind == "T":
        values = values.astype(object)
    create(root_of(store), path, values, replace(layout_of(store), **of_layout), **others)


def remove(path: str) -> Damage:
    """Delete a file or a directory."""

    def damage(store: Path) -> None:
        victim = store / path
        if victim.is_dir():
            shutil.rmtree(victim)
        else:
            victim.unlink()

    return damage


def file(path: str, content: bytes = b"") -> Damage:
    """Write a file."""

    def damage(store: Path) -> None:
        (store / path).parent.mkdir(parents=True, exist_ok=True)
        (store / path).write_bytes(content)

    return damage


def bytes_of(path: str, change: Callable[[bytes], bytes]) -> Damage:
    """Change the bytes of a file."""

    def damage(store: Path) -> None:
        (store / path).write_bytes(change((store / path).read_bytes()))

    return damage


def document(path: str, change: Callable[[dict[str, Any]], None]) -> Damage:
    """Change a JSON document."""

    def damage(store: Path) -> None:
        content = json.loads((store / path).read_text())
        change(content)
        (store / path).write_text(json.dumps(content))

    return damage


def attributes(node: str, **values: Any) -> Damage:
    """Set attributes of an array or group, or remove them by None."""

    def change(mapping: dict[str, Any]) -> None:
        for key, value in values.items():
            if value is None:
                del mapping[key]
            else:
                mapping[key] = value

    def damage(store: Path) -> None:
        if (store / node / "zarr.json").exists():
            document(str(Path(node, "zarr.json")), lambda content: change(content["attributes"]))(store)
            return
        path = store / node / ".zattrs"
        mapping = json.loads(path.read_text()) if path.exists() else {}
        change(mapping)
        path.write_text(json.dumps(mapping))

    return damage


def codec(path: str, **values: Any) -> Damage:
    """Change what the document of an array in format 3 says of its Blosc codec; chunks say it themselves."""

    def change(content: dict[str, Any]) -> None:
        (blosc,) = (one for one in content["codecs"] if one["name"] == "blosc")
        blosc["configuration"].update(values)

    return document(f"{path}/zarr.json", change)


def index(change: Callable[[pa.Table], pa.Table], **options: Any) -> Damage:
    """Rewrite the index."""

    def damage(store: Path) -> None:
        path = store / "index.parquet"
        table = change(pa.parquet.read_table(path))
        pa.parquet.write_table(table, path, **{"compression": "zstd", **options})

    return damage


def column(name: str, change: Callable[[list[Any]], Any]) -> Damage:
    """Replace one column of the index, whose values come as a list."""

    def changed(table: pa.Table) -> pa.Table:
        values = change(table[name].to_pylist())
        if isinstance(values, list):
            values = pa.array(values, table[name].type)
        return table.set_column(table.column_names.index(name), name, values)

    return index(changed)


def reindexed(damage: Damage) -> Damage:
    """A damage to arrays that the index repeats: it is written anew."""

    def both(store: Path) -> None:
        damage(store)
        root = root_of(store)
        arrays = {f"metadata/{name}": array[...] for name, array in root["metadata"].arrays()}
        arrays |= {f"params/{name}": array[...] for name, array in root["params"].arrays()}
        pa.parquet.write_table(index_of(arrays), store / "index.parquet", compression="zstd")

    return both
