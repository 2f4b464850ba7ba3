"""Facts of stores that break one rule on the structure each, with where it shows and at which level."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from spectral_zarr.contract import schema
from spectral_zarr.contract.facts import StoreFacts
from spectral_zarr.contract.rules import Level

from .conftest import (
    CODEC,
    GOOD,
    INDEX,
    N_PIX,
    N_SPEC,
    added,
    array,
    changed,
    column,
    cube,
    with_attributes,
    with_group,
    with_index,
    with_units,
    without,
)

MUST, SHOULD, HOUSE, INFO = Level.MUST, Level.SHOULD, Level.HOUSE, Level.INFO


class Mutant(NamedTuple):
    """A store that breaks one rule; `also` are rules that cannot but break with it."""

    facts: StoreFacts
    where: str
    level: Level
    also: frozenset[str] = frozenset()


def unknown(facts: StoreFacts, where: str, level: Level, *also: str) -> Mutant:
    """A mutant with something that the contract does not name, which is information of E-01."""
    return Mutant(facts, where, level, frozenset({"E-01", *also}))


# Without the rows and pixels of the flux nothing can be aligned to it.
UNALIGNED = frozenset({"D-02", "D-03", "D-04", "I-01", "Q-01", "S-02"})

LAYOUT: dict[str, list[Mutant]] = {
    "G-01": [
        unknown(replace(with_group("signal/harps"), arrays=added(path, cube()).arrays), path, MUST)
        for path in ("signal/harps/flux_raw", "signal/harps/other")
    ]
    + [
        unknown(replace(with_group("harps/signal"), arrays=added(path, cube()).arrays), path, MUST)
        for path in ("harps/signal/flux_raw", "harps/signal/normalized_flux")
    ],
    "L-01": [
        Mutant(
            replace(GOOD, groups=tuple(g for g in schema.GROUPS if g != group)),
            group,
            HOUSE if group in ("params", "representations") else MUST,
        )
        for group in schema.GROUPS
    ],
    "L-02": [Mutant(without(path), path, MUST, UNALIGNED - {"D-02"}) for path in schema.REQUIRED_ARRAYS],
    "L-03": [
        Mutant(replace(GOOD, index=None), "index.parquet", MUST),
        Mutant(replace(GOOD, index=None, index_problem="it cannot be read: no footer"), "index.parquet", MUST),
    ],
    "L-04": [Mutant(replace(GOOD, foreign=("notes.txt", "signal/plot.png")), "notes.txt", HOUSE)],
    "L-05": [Mutant(replace(GOOD, name=name), name, MUST) for name in ("store", "a.zarr.old", "a.zarr.failed-1")],
    "L-06": [
        Mutant(
            replace(without(schema.CONTINUUM), problems=((schema.CONTINUUM, "zarr.json: no JSON"),)),
            schema.CONTINUUM,
            MUST,
        )
    ],
    "D-01": [
        Mutant(
            changed(schema.FLUX, shape=shape, chunks=(1024, N_PIX, 1)[: len(shape)]),
            schema.FLUX,
            MUST,
            UNALIGNED | {"K-03"},
        )
        for shape in ((N_SPEC,), (N_SPEC, N_PIX, 1), (0, N_PIX), (N_SPEC, 0), (10**11, N_PIX))
    ],
    "D-02": [
        Mutant(changed(path, shape=shape), path, MUST)
        for path in schema.CUBES
        if path != schema.FLUX
        for shape in ((N_SPEC + 1, N_PIX), (N_PIX, N_SPEC))
    ]
    + [unknown(added("continuum/extra", array((N_SPEC, N_PIX + 1))), "continuum/extra", MUST)],
    "D-03": [Mutant(changed(schema.METHOD, shape=(N_SPEC - 1,)), schema.METHOD, MUST)],
    "D-04": [
        Mutant(changed("params/teff", shape=(N_SPEC - 1,)), "params/teff", MUST),
        Mutant(changed("metadata/snr", shape=(N_SPEC, 1), chunks=(N_SPEC, 1)), "metadata/snr", MUST),
        Mutant(added("metadata/other", array((N_SPEC + 1,))), "metadata/other", MUST),
        Mutant(added("params/star/age", column()), "params/star/age", MUST),
        Mutant(with_group("params/star"), "params/star", MUST),
        Mutant(with_group("metadata/eso"), "metadata/eso", MUST),
    ],
    "E-01": [
        Mutant(with_group("quality"), "quality", INFO),
        Mutant(added("signal/mask", cube("int32")), "signal/mask", INFO),
        Mutant(added("grid", array((7,))), "grid", INFO),
        Mutant(replace(GOOD, unknown=(("quality/odd", "the data type void"),)), "quality/odd", INFO),
        Mutant(with_attributes(licence="CC-BY"), "root", INFO),
    ],
}

SIGNAL: dict[str, list[Mutant]] = {
    "S-01": [
        Mutant(changed(schema.FLUX, kind=kind, itemsize=size, typesize=size), schema.FLUX, level)
        for kind, size, level in (("float64", 8, SHOULD), ("int16", 2, MUST), ("float16", 2, MUST), ("text", 16, MUST))
    ],
    "S-02": [
        Mutant(changed(schema.WAVELENGTH, shape=shape, chunks=shape), schema.WAVELENGTH, MUST)
        for shape in ((N_PIX + 1,), (N_SPEC,), (1, N_PIX), (N_PIX, N_SPEC))
    ],
    "S-03": [
        Mutant(changed(schema.WAVELENGTH, kind=kind), schema.WAVELENGTH, level)
        for kind, level in (("int64", HOUSE), ("float16", HOUSE), ("text", MUST), ("bool", MUST))
    ],
    "S-07": [
        Mutant(changed(path, kind=kind), path, level)
        for path in schema.CUBES
        if path != schema.FLUX
        for kind, level in (("int32", HOUSE), ("uint16", HOUSE), ("text", MUST), ("bool", MUST))
    ],
    "C-02": [Mutant(changed(schema.METHOD, kind="int32", itemsize=4, typesize=4), schema.METHOD, MUST)],
    "R-02": [
        Mutant(without(schema.NORMALIZED), schema.NORMALIZED_UNCERTAINTY, MUST),
        Mutant(without(schema.NORMALIZED_UNCERTAINTY), schema.NORMALIZED, SHOULD),
    ],
    "U-01": [
        Mutant(changed(path, attributes=attributes), path, MUST)
        for path in schema.ARRAYS_WITH_UNITS
        for attributes in ({}, {"units": " "}, {"units": 1}, {"units": None}, {"unit": "adu"})
    ],
    "U-02": [
        Mutant(with_units(schema.WAVELENGTH, units), schema.WAVELENGTH, level)
        for units, level in (("A", MUST), ("s", MUST), ("furlongs", MUST), ("mm", HOUSE), ("km", HOUSE))
    ],
    "U-03": [Mutant(with_units(schema.FLUX, "erg/s/cm2/AA2x"), schema.FLUX, HOUSE, frozenset({"U-04"}))],
    "U-04": [
        Mutant(with_units(path, units), path, level)
        for path in (schema.UNCERTAINTY, schema.CONTINUUM, schema.CONTINUUM_UNCERTAINTY)
        for units, level in (("Jy", HOUSE), ("W / m3", SHOULD), ("erg / (cm2 s Angstrom)", SHOULD))
    ],
    "U-06": [
        Mutant(with_units(path, units), path, level)
        for path in (schema.NORMALIZED, schema.NORMALIZED_UNCERTAINTY)
        for units, level in (("adu", HOUSE), ("1", SHOULD))
    ],
    "U-07": [
        Mutant(changed(path, attributes={**GOOD.arrays[path].attributes, name: value}), path, HOUSE)
        for path in (*schema.CUBES, schema.WAVELENGTH, "metadata/airmass")
        for name, value in (
            *(("scale_factor", 0.01), ("add_offset", 5.0), ("_FillValue", 0.0), ("_FillValue", "AAAAAAAAAAA=")),
            *(("missing_value", -999), ("_FillValue", None), ("_Unsigned", "true")),
        )
    ],
}

HEADER = [f"metadata/h0_key{i}" for i in range(201)]

COLUMNS: dict[str, list[Mutant]] = {
    "P-01": [
        Mutant(changed("params/teff", kind=kind, itemsize=size, typesize=size), "params/teff", level)
        for kind, size, level in (("int64", 8, MUST), ("text", 16, MUST), ("bool", 1, MUST), ("float16", 2, HOUSE))
    ],
    "P-02": [
        Mutant(changed("params/teff", attributes={"units": "K"}), "params/teff", MUST),
        Mutant(changed("params/teff", attributes={"description": ""}), "params/teff", MUST),
        Mutant(changed("params/teff", attributes={"_ARRAY_DIMENSIONS": ["n"]}), "params/teff", MUST),
        Mutant(
            replace(changed("params/teff", attributes={"_ARRAY_DIMENSIONS": ["n"]}), zarr_format=2),
            "params/teff",
            SHOULD,
        ),
        Mutant(
            replace(changed("params/teff", attributes={"_ARRAY_DIMENSIONS": ["n"], "units": "K"}), zarr_format=2),
            "params/teff",
            MUST,
        ),
        Mutant(with_group("params", source="x"), "params", MUST),
    ],
    "P-04": [
        Mutant(with_attributes(**{name: 1.0}), "root", MUST, frozenset({"E-01"}))
        for name in ("teff", "logg", "feh", "m_h", "mh", "alpha", "vmic", "vsini", "rv", "e_teff")
    ]
    + [
        Mutant(with_group("signal", logg=4.4), "signal", MUST),
        Mutant(changed("metadata/snr", attributes={"teff": 5777.0}), "metadata/snr", MUST),
    ],
    "P-06": [Mutant(added(f"params/{name}", column()), f"params/{name}", HOUSE) for name in ("Teff", "1a", "a-b")],
    "M-01": [
        Mutant(without("metadata/source_type"), "metadata/source_type", MUST),
        Mutant(changed("metadata/source_type", kind="int32", itemsize=4, typesize=4), "metadata/source_type", MUST),
    ],
    "M-02": [
        Mutant(without("metadata/flux_type"), "metadata/flux_type", MUST),
        Mutant(changed("metadata/flux_type", kind="bool", itemsize=1), "metadata/flux_type", MUST),
    ],
    "M-03": [
        Mutant(without(f"metadata/{name}"), f"metadata/{name}", HOUSE if name == "spec_id" else SHOULD)
        for name in ("spec_id", "instrument", "snr", "date_obs")
    ],
    "M-05": [
        Mutant(facts, f"metadata/{name}", HOUSE)
        for name in ("gaia_id", "gaia_dr")
        for facts in (without(f"metadata/{name}"), changed(f"metadata/{name}", kind="float64", typesize=16))
    ],
    "M-06": [Mutant(changed("metadata/object", kind="int64", itemsize=8, typesize=8), "metadata/object", HOUSE)],
    "M-07": [Mutant(changed("metadata/snr", kind="int64"), "metadata/snr", HOUSE)],
    "M-09": [
        Mutant(with_attributes(exptimes=[1.0] * N_SPEC), "root", MUST, frozenset({"E-01"})),
        Mutant(with_group("metadata", exptimes=[1.0] * N_SPEC), "metadata", MUST),
    ],
    "H-02": [
        Mutant(added(f"metadata/{name}", column("text")), f"metadata/{name}", MUST)
        for name in ("h0_Exptime", "h0-x", "h1", "h0_")
    ],
    "H-03": [
        Mutant(added("metadata/h0_gain_2", column("text")), "metadata/h0_gain_2", SHOULD),
        Mutant(added("metadata/h0_exptime_3", column("text")), "metadata/h0_exptime_3", SHOULD),
    ],
    "H-04": [Mutant(added("metadata/h1_mjd", column()), "metadata/h1_mjd", MUST)],
    "H-05": [
        Mutant(replace(GOOD, arrays={**GOOD.arrays, **{path: column("text") for path in HEADER}}), "metadata", SHOULD)
    ]
    + [
        Mutant(added(f"metadata/h0_{name}", column("text")), "metadata", SHOULD)
        for name in ("naxis1", "checksum", "eso_det_win1_nx", "eso_ins_temp1_val", "eso_pro_rec1_raw1_name", "ccdtemp2")
    ],
    "I-01": [
        Mutant(with_index(rows=N_SPEC - 1), "index.parquet", MUST),
        Mutant(with_index(rows=N_SPEC + 1), "index.parquet", MUST),
    ]
    + [
        Mutant(with_index(columns={k: v for k, v in INDEX.columns.items() if k != name}), "index.parquet", MUST)
        for name in schema.INDEX_COLUMNS
    ],
    "I-03": [
        Mutant(with_index(columns={**INDEX.columns, "teff": "float"}), "index.parquet:teff", HOUSE),
        Mutant(with_index(columns={**INDEX.columns, "spec_id": "int64"}), "index.parquet:spec_id", HOUSE),
        Mutant(
            with_index(columns={**INDEX.columns, "spec_id": "dictionary<values=string, indices=int32, ordered=0>"}),
            "index.parquet:spec_id",
            HOUSE,
        ),
        Mutant(
            with_index(columns={**INDEX.columns, "__index_level_0__": "int64"}),
            "index.parquet:__index_level_0__",
            HOUSE,
        ),
        Mutant(with_index(longest_row_group=1_000_001), "index.parquet", HOUSE),
        Mutant(with_index(compressions=frozenset({"zstd", "snappy"})), "index.parquet", HOUSE),
    ],
}

WIDE = (N_SPEC, 20_000)
HIGH_RESOLUTION = replace(
    GOOD,
    arrays={
        path: replace(facts, shape=WIDE, chunks=(256, 4096)) if len(facts.shape) == 2 else facts
        for path, facts in {**GOOD.arrays, schema.WAVELENGTH: array((20_000,), "float64", units="Angstrom")}.items()
    },
)


def rechunked(path: str, *chunks: int) -> StoreFacts:
    """The good store of 20,000 pixels with other chunks in one cube."""
    facts = HIGH_RESOLUTION.arrays[path]
    return replace(HIGH_RESOLUTION, arrays={**HIGH_RESOLUTION.arrays, path: replace(facts, chunks=chunks)})


STORAGE: dict[str, list[Mutant]] = {
    "K-01": [
        Mutant(changed(schema.CONTINUUM, chunks=chunks), schema.CONTINUUM, SHOULD)
        for chunks in ((1000, N_PIX), (N_SPEC, N_PIX), (1024, 499))
    ],
    "K-02": [
        Mutant(rechunked(schema.FLUX, *chunks), schema.FLUX, SHOULD)
        for chunks in ((1024, 4096), (256, 8192), (64, 20_000))
    ],
    "K-03": [
        Mutant(changed("metadata/airmass", chunks=(1000,)), "metadata/airmass", MUST),
        Mutant(changed(schema.FLUX, chunks=(1, N_PIX)), schema.FLUX, MUST, frozenset({"K-01"})),
        Mutant(rechunked(schema.UNCERTAINTY, 8, 4096), schema.UNCERTAINTY, MUST, frozenset({"K-02"})),
        Mutant(
            replace(
                HIGH_RESOLUTION,
                arrays={
                    path: replace(facts, shape=(N_SPEC, 400_000), chunks=(4, 400_000) if path == schema.FLUX else WIDE)
                    if len(facts.shape) == 2
                    else facts
                    for path, facts in GOOD.arrays.items()
                },
            ),
            schema.FLUX,
            SHOULD,
            frozenset({"K-02", "S-02"}),
        ),
        unknown(added("signal/extra", replace(cube(), chunks=(1, N_PIX))), "signal/extra", SHOULD),
    ],
    "K-04": [
        Mutant(changed("metadata/snr", chunks=((256 << 20) // 8 + 1,)), "metadata/snr", HOUSE),
        Mutant(changed("metadata/snr", chunks=(1 << 28,)), "metadata/snr", MUST),
        Mutant(changed("metadata/object", chunks=(1 << 31,)), "metadata/object", MUST),
        unknown(added("signal/extra", replace(cube(), chunks=(1 << 20, N_PIX))), "signal/extra", SHOULD),
    ],
    "Z-01": [
        Mutant(changed(path, codec=codec), path, level)
        for path, level in ((schema.FLUX, MUST), (schema.WAVELENGTH, HOUSE), ("metadata/spec_id", HOUSE))
        for codec in (None, ("lz4", 5, CODEC[2]), ("zstd", 4, CODEC[2]), ("zstd", 8, CODEC[2]), ("zstd", 5, "shuffle"))
    ]
    + [unknown(added("signal/extra", replace(cube(), codec=None)), "signal/extra", SHOULD)],
    "Z-02": [Mutant(changed(schema.FLUX, typesize=1), schema.FLUX, HOUSE)],
    "Z-04": [Mutant(changed(schema.FLUX, unreadable="the codec pickle is not decoded"), schema.FLUX, MUST)],
    "V-01": [
        Mutant(with_attributes(**{key: value}), "root", MUST)
        for key in schema.ROOT_ATTRIBUTES
        for value in ((None, "") if key == "schema_version" else (None, "", 5, ["x"]))
    ],
    "V-02": [
        Mutant(with_attributes(schema_version=version), "root", MUST)
        for version in (2.0, 2, "2.1", "2", "3.0", "1.0", "2.0 ", "v2.0", True)
    ]
    + [Mutant(replace(with_attributes(schema_version="2.1"), for_reading=True), "root", INFO)],
    "V-03": [
        Mutant(with_attributes(created_at=text), "root", HOUSE)
        for text in (
            *("2026-01-31 12:00:00", "2026-01-31T12:00:00", "now", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z"),
            *("2026-01-31T12:00:00+02:00", "9999-01-01T00:00:00Z", "2026-01-31T12:00:00Z\n"),
        )
    ],
    "V-04": [
        Mutant(with_attributes(git_commit=text), "root", HOUSE)
        for text in ("unknown", "012345", "0123abc-broken", "0123abg")
    ],
    "W-03": [Mutant(replace(GOOD, unfinished_beside="good.zarr.tmp"), "good.zarr.tmp", INFO)],
    "Q-01": [
        Mutant(replace(GOOD, n_spec_expected=N_SPEC + 1), schema.FLUX, MUST),
        Mutant(replace(GOOD, n_spec_expected=None), schema.FLUX, INFO),
    ],
}

MUTANTS = {**LAYOUT, **SIGNAL, **COLUMNS, **STORAGE}
