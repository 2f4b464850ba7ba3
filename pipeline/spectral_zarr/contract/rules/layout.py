"""Rules on the tree of a store: groups, required arrays, shapes, and what is unknown."""

from __future__ import annotations

from collections.abc import Iterator

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import StoreFacts
from spectral_zarr.contract.rules.registry import Breach, Level, rule, structure

MUST, SHOULD, HOUSE, INFO = Level.MUST, Level.SHOULD, Level.HOUSE, Level.INFO

MOST_SPECTRA = 10**10
"""No telescope has taken more spectra; a larger axis is a damaged number."""

MOST_PIXELS = 10**8
"""A hundred times the longest spectra of the finest spectrographs; a larger axis is a damaged number."""

_TENSOR_GROUPS = ("signal", "continuum", "representations")
_TENSOR_NAMES = frozenset(path.split("/")[1] for path in schema.CUBES)


@structure(
    "G-01",
    MUST,
    "spectra first: no groups of instruments or objects hold spectral arrays",
    "stack the spectra along axis 0 of the arrays of the contract",
)
def _nested(facts: StoreFacts) -> Iterator[Breach]:
    for group in facts.groups:
        if "/" not in group:
            continue
        top = group.split("/")[0]
        for path, array in facts.arrays.items():
            if path.rpartition("/")[0] != group:
                continue
            if (top in _TENSOR_GROUPS and len(array.shape) >= 2) or (
                top not in schema.GROUPS and path.rpartition("/")[2] in _TENSOR_NAMES
            ):
                yield Breach(path, "a spectral array in a nested group")


rule(
    "G-02",
    HOUSE,
    "one row is one physical realisation: never a co-added spectrum and its own exposures together",
    "ingest either the co-added products or the exposures",
)


@structure("L-01", MUST, "the groups exist; params and representations may be empty", "create the group")
def _groups(facts: StoreFacts) -> Iterator[Breach]:
    for group in schema.GROUPS:
        if group not in facts.groups:
            yield Breach(group, "the group is missing", None if group in schema.REQUIRED_GROUPS else HOUSE)


@structure("L-02", MUST, "the six required arrays exist", "write the array, all-NaN where nothing is known")
def _arrays(facts: StoreFacts) -> Iterator[Breach]:
    unreadable = {path for path, _ in facts.problems}
    for path in schema.REQUIRED_ARRAYS:
        if path not in facts.arrays and path not in unreadable and path.split("/")[0] in facts.groups:
            yield Breach(path, "the array is missing")


@structure(
    "L-03", MUST, "index.parquet is one readable file inside the store", "write it from the arrays, after all others"
)
def _index(facts: StoreFacts) -> Iterator[Breach]:
    if facts.index is None:
        yield Breach("index.parquet", facts.index_problem or "the file is missing")


@structure(
    "L-04", HOUSE, "nothing but Zarr and the index lies in the store", "remove it, or publish it beside the store"
)
def _foreign(facts: StoreFacts) -> Iterator[Breach]:
    for name in facts.foreign:
        yield Breach(name, "not part of a store")


@structure("L-05", MUST, "the name ends in .zarr", "rename the store to <dataset>.zarr")
def _name(facts: StoreFacts) -> Iterator[Breach]:
    if not facts.name.endswith((".zarr", ".zarr.tmp")):
        yield Breach(facts.name, "the name does not end in .zarr")


@structure(
    "L-06",
    MUST,
    "every metadata document can be read",
    "write the store anew, or restore the document from a copy",
)
def _documents(facts: StoreFacts) -> Iterator[Breach]:
    for path, problem in facts.problems:
        yield Breach(path, problem)


@structure(
    "D-01",
    MUST,
    "flux_raw is (N_spec, N_pix) with at least one spectrum and one pixel",
    "write one row per spectrum",
)
def _flux_shape(facts: StoreFacts) -> Iterator[Breach]:
    flux = facts.arrays.get(schema.FLUX)
    if flux is not None and not (
        len(flux.shape) == 2 and 0 < flux.shape[0] <= MOST_SPECTRA and 0 < flux.shape[1] <= MOST_PIXELS
    ):
        yield Breach(schema.FLUX, f"the shape is {flux.shape}")


@structure(
    "D-02",
    MUST,
    "every 2-D array of signal, continuum and representations is (N_spec, N_pix)",
    "align it with flux_raw; pad rows with NaN at the end",
)
def _cube_shapes(facts: StoreFacts) -> Iterator[Breach]:
    for path, array in facts.arrays.items():
        cube = path in schema.CUBES or (
            len(array.shape) == 2 and path.split("/")[0] in _TENSOR_GROUPS and path != schema.WAVELENGTH
        )
        if cube and path.count("/") == 1 and facts.n_spec and array.shape != (facts.n_spec, facts.n_pix):
            yield Breach(path, f"the shape is {array.shape}, flux_raw has {(facts.n_spec, facts.n_pix)}")


@structure("D-03", MUST, "continuum/method is (N_spec,)", "write one label per spectrum")
def _method_shape(facts: StoreFacts) -> Iterator[Breach]:
    method = facts.arrays.get(schema.METHOD)
    if method is not None and facts.n_spec and method.shape != (facts.n_spec,):
        yield Breach(schema.METHOD, f"the shape is {method.shape}, expected {(facts.n_spec,)}")


@structure(
    "D-04",
    MUST,
    "every array of params and metadata is (N_spec,) and lies in the group itself",
    "write one value per spectrum, NaN or '' where it is unknown",
)
def _column_shapes(facts: StoreFacts) -> Iterator[Breach]:
    for group in facts.groups:
        if group.startswith(("params/", "metadata/")):
            yield Breach(group, "a nested group")
    for path, array in facts.arrays.items():
        if path.split("/")[0] in ("params", "metadata") and facts.n_spec:
            if path.count("/") > 1:
                yield Breach(path, "an array in a nested group")
            elif array.shape != (facts.n_spec,):
                yield Breach(path, f"the shape is {array.shape}, expected {(facts.n_spec,)}")


@structure(
    "E-01",
    INFO,
    "readers ignore what they do not know",
    "nothing, if it is meant to be there; declare new arrays in the root attribute schema_extensions",
)
def _unknown(facts: StoreFacts) -> Iterator[Breach]:
    for group in facts.groups:
        if "/" not in group and group not in schema.GROUPS:
            yield Breach(group, "a group that the contract does not name; it is ignored")
    for path in facts.arrays:
        if ("/" not in path or path.split("/")[0] in _TENSOR_GROUPS) and not schema.is_named(path):
            yield Breach(path, "an array that the contract does not name; it is ignored")
    for path, reason in facts.unknown:
        yield Breach(path, f"an array that the contract does not name, of a form that is not known: {reason}")
    unknown = [key for key in facts.attributes if key not in (*schema.ROOT_ATTRIBUTES, *schema.ADDED_ROOT_ATTRIBUTES)]
    if unknown:
        yield Breach("root", f"attributes that the contract does not name, ignored: {', '.join(sorted(unknown))}")
