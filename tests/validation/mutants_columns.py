"""Mutants of parameters, metadata and the index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numcodecs import Blosc
from numcodecs.vlen import VLenBytes

from .good_stores import N_SPEC, text
from .mutants import (
    HOUSE,
    WARNING,
    Damage,
    Mutant,
    add,
    attributes,
    column,
    index,
    put,
    reindexed,
    remove,
    rewrite,
    root_of,
    together,
)

INDEX = "index.parquet"
ONES = np.ones(N_SPEC)


def teff(rows: Any, value: float) -> Damage:
    """A value of params/teff, in the index as well."""
    return reindexed(put("params/teff", rows, value))


def field(name: str, rows: Any, value: Any) -> Damage:
    """A value of a metadata field, in the index as well."""
    return reindexed(put(f"metadata/{name}", rows, value))


def _not_utf8(store: Path) -> None:
    array = root_of(store)["metadata/object"]
    values = array[...]
    values[17] = b"caf\xe9"
    array[...] = values


def _not_utf8_of_any_length(store: Path) -> None:
    values = [b"HD 1", b"HD 2", b"\xff\xfe", *[b"HD"] * (N_SPEC - 3)]
    packed = VLenBytes().encode(np.array(values, dtype=object))
    (store / "metadata/object/c/0").write_bytes(Blosc("zstd", 5, Blosc.BITSHUFFLE).encode(packed))


PARAMETERS = [
    *(
        Mutant("P-01", f"a parameter of {kind}", add("params/vmic", values), "params/vmic")
        for kind, values in (
            ("integers", ONES.astype("i8")),
            ("text", text(["1.0"] * N_SPEC)),
            ("flags", ONES.astype("?")),
        )
    ),
    Mutant("P-01", "a parameter of half precision", add("params/vmic", ONES.astype("f2")), "params/vmic", HOUSE),
    Mutant("P-02", "a unit", attributes("params/teff", units="K"), "params/teff", says="units"),
    Mutant("P-02", "a description of the group", attributes("params", source="SSPP"), "params"),
    Mutant("P-02", "dimensions in format 3", attributes("params/feh", _ARRAY_DIMENSIONS=["n_spec"]), "params/feh"),
    Mutant(
        "P-02",
        "dimensions of xarray in format 2",
        attributes("params/feh", _ARRAY_DIMENSIONS=["n_spec"]),
        "params/feh",
        WARNING,
        base="format 2",
    ),
    *(
        Mutant("P-03", f"teff of {value}", teff([5, 1029], value), "params/teff", rows=(5, 1029))
        for value in (-999.0, -9999.0, 0.0, 999999.0)
    ),
    Mutant(
        "P-03", "feh of 99.9", reindexed(put("params/feh", 1024, 99.9)), "params/feh", rows=(1024,), says="stand for"
    ),
    Mutant(
        "P-03",
        "9999 K three times",
        teff([5, 6, 1027], 9999.0),
        "params/teff",
        rows=(5, 6, 1027),
        says="exactly 9999 K",
    ),
    Mutant(
        "P-03",
        "9999 K beside a missing logg",
        reindexed(together(put("params/teff", 5, 9999.0), put("params/logg", 5, np.nan))),
        "params/teff",
        rows=(5,),
    ),
    Mutant(
        "P-03", "an infinite logg", reindexed(put("params/logg", 3, np.inf)), "params/logg", rows=(3,), says="infinite"
    ),
    Mutant(
        "P-03",
        "an error of zero beside nothing",
        put("params/e_teff", 0, 0.0),
        "params/e_teff",
        rows=(0,),
        says="errors",
    ),
    Mutant(
        "P-03",
        "-9999.99 in single precision",
        add("params/vsini", np.where(np.arange(N_SPEC) == 1028, -9999.99, 3).astype("f4")),
        "params/vsini",
        rows=(1028,),
    ),
    Mutant("P-06", "an upper-case name", add("params/Alpha_M", ONES), "params/Alpha_M", HOUSE),
    Mutant("P-06", "a name with brackets", add("params/[Fe_H]", ONES), "params/[Fe_H]", HOUSE),
    Mutant("P-07", "a temperature in eV", teff(1028, 0.5), "params/teff", HOUSE, (1028,)),
    Mutant(
        "P-07", "a logarithmic temperature", teff(np.s_[1:], 3.76), "params/teff", HOUSE, (1, 2, 3, 4, 5), N_SPEC - 1
    ),
    Mutant("P-07", "a gravity in cgs", reindexed(put("params/logg", 7, 27400.0)), "params/logg", HOUSE, (7,)),
    Mutant("P-07", "an angle in degrees", put("params/mu", 3, 45.0), "params/mu", HOUSE, (3,), base="intensity"),
    Mutant("P-08", "no mu", remove("params/mu"), "params/mu", HOUSE, (0, 1, 2, 3, 4), 30, base="intensity"),
    Mutant("P-08", "a mu of NaN", put("params/mu", 29, np.nan), "params/mu", HOUSE, (29,), base="intensity"),
]

METADATA = [
    *(
        Mutant(rule, f"no {name}", remove(f"metadata/{name}"), f"metadata/{name}", says="missing")
        for rule, name in (("M-01", "source_type"), ("M-02", "flux_type"))
    ),
    Mutant("M-01", "another word", field("source_type", [4, 1025], "Observed"), "metadata/source_type", rows=(4, 1025)),
    Mutant("M-01", "an empty word", field("source_type", 1029, ""), "metadata/source_type", rows=(1029,)),
    Mutant(
        "M-01",
        "a number",
        reindexed(rewrite("metadata/source_type", lambda v: np.zeros(N_SPEC, "i4"))),
        "metadata/source_type",
        says="int32",
        also=("I-02",),
    ),
    Mutant("M-02", "another word", field("flux_type", 1024, "radiance"), "metadata/flux_type", rows=(1024,)),
    Mutant("M-03", "no spec_id", remove("metadata/spec_id"), "metadata/spec_id", HOUSE),
    *(
        Mutant("M-03", f"no {name}", remove(f"metadata/{name}"), f"metadata/{name}", WARNING)
        for name in ("instrument", "snr", "date_obs")
    ),
    Mutant(
        "M-04",
        "an identifier twice",
        field("spec_id", [3, 1028], "demo-00002"),
        "metadata/spec_id",
        HOUSE,
        (3, 1028),
        says="before",
    ),
    Mutant("M-04", "an empty identifier", field("spec_id", 1024, ""), "metadata/spec_id", HOUSE, (1024,), says="empty"),
    Mutant("M-04", "a blank in an identifier", field("spec_id", 0, "HD 1234"), "metadata/spec_id", HOUSE, (0,)),
    Mutant("M-04", "a Greek letter in an identifier", field("spec_id", 9, "α-Cen"), "metadata/spec_id", HOUSE, (9,)),
    *(
        Mutant("M-05", f"no {name}", remove(f"metadata/{name}"), f"metadata/{name}", HOUSE)
        for name in ("gaia_id", "gaia_dr")
    ),
    Mutant(
        "M-05",
        "a float as gaia_id",
        rewrite("metadata/gaia_id", lambda v: np.full(N_SPEC, 2.0**60)),
        "metadata/gaia_id",
        HOUSE,
    ),
    Mutant(
        "M-06", "bytes that are no UTF-8", _not_utf8_of_any_length, "metadata/object/c/0", rows=(2,), says="not UTF-8"
    ),
    Mutant("M-06", "bytes of Latin 1", _not_utf8, "metadata/object/0", rows=(17,), says="caf", base="bytes"),
    Mutant(
        "M-06", "a number as name", rewrite("metadata/object", lambda v: np.arange(N_SPEC)), "metadata/object", HOUSE
    ),
    Mutant("M-07", "an infinite ratio", field("snr", 3, np.inf), "metadata/snr", HOUSE, (3,)),
    Mutant("M-07", "integers", rewrite("metadata/snr", lambda v: v.astype("i4")), "metadata/snr", HOUSE),
    Mutant(
        "M-08", "a date with slashes", field("date_obs", [2, 1028], "2019/03/04"), "metadata/date_obs", HOUSE, (2, 1028)
    ),
    Mutant("M-08", "30 February", field("date_obs", 7, "2015-02-30T10:00:00"), "metadata/date_obs", HOUSE, (7,)),
    Mutant("M-08", "hour 24", field("date_obs", 8, "2016-12-31T24:00:00"), "metadata/date_obs", HOUSE, (8,)),
    Mutant("M-08", "a date of 1869", field("date_obs", 5, "1869-03-04"), "metadata/date_obs", HOUSE, (5,)),
    Mutant(
        "M-11",
        "a model without a code",
        field("simulator", [3, 29], ""),
        "index.parquet:simulator",
        WARNING,
        (3, 29),
        base="synthetic",
    ),
    Mutant("M-10", "-999 in ra", field("ra", 1028, -999.0), "metadata/ra", rows=(1028,), says="numbers that"),
    Mutant("M-10", "-9999 in snr", field("snr", [0, 1], -9999.0), "metadata/snr", rows=(0, 1)),
    Mutant("M-10", "-9999 in integers", field("source_row", 1025, -9999), "metadata/source_row", rows=(1025,)),
    Mutant("M-10", "-1 as gaia_id", field("gaia_id", 6, "-1"), "metadata/gaia_id", HOUSE, (6,), says="text"),
    Mutant("M-10", "NaN in a header field", field("h0_exptime", 7, "NaN"), "metadata/h0_exptime", HOUSE, (7,)),
]

INDICES = [
    *(
        Mutant(
            "I-01", f"no column {name}", index(lambda table, name=name: table.drop_columns([name])), INDEX, says=name
        )
        for name in ("spec_id", "source_type", "teff", "logg", "feh", "instrument", "simulator", "snr")
    ),
    Mutant("I-01", "a row too few", index(lambda table: table.slice(0, N_SPEC - 1)), INDEX, says="1029 rows"),
    Mutant(
        "I-01", "a row too many", index(lambda table: pa.concat_tables([table, table.slice(0, 1)])), INDEX, says="1031"
    ),
    Mutant(
        "I-02",
        "two rows exchanged",
        index(lambda table: table.take(pa.array([0, 1, 3, 2, *range(4, N_SPEC)]))),
        tuple(f"{INDEX}:{name}" for name in ("spec_id", "snr", "teff")),
        HOUSE,
        (2, 3),
    ),
    Mutant(
        "I-02", "another ratio", column("snr", lambda v: [*v[:1028], 3.0, *v[1029:]]), f"{INDEX}:snr", HOUSE, (1028,)
    ),
    Mutant(
        "I-02",
        "another instrument",
        column("instrument", lambda v: ["UVES", *v[1:]]),
        f"{INDEX}:instrument",
        HOUSE,
        (0,),
    ),
    Mutant(
        "I-02", "NaN for a parameter", column("feh", lambda v: [*v[:5], np.nan, *v[6:]]), f"{INDEX}:feh", HOUSE, (5,)
    ),
    Mutant(
        "I-03",
        "null for a value",
        column("teff", lambda v: [*v[:7], None, *v[8:]]),
        f"{INDEX}:teff",
        HOUSE,
        (7,),
        also=("I-02",),
    ),
    Mutant("I-03", "null for NaN", column("teff", lambda v: [None, *v[1:]]), f"{INDEX}:teff", HOUSE, (0,), says="null"),
    Mutant(
        "I-03",
        "null for an empty text",
        column("simulator", lambda v: [*v[:-1], None]),
        f"{INDEX}:simulator",
        HOUSE,
        (1029,),
    ),
    Mutant(
        "I-03",
        "integers",
        column("teff", lambda v: pa.array(np.nan_to_num(v), pa.float32())),
        f"{INDEX}:teff",
        HOUSE,
        also=("I-02",),
    ),
    Mutant(
        "I-03",
        "a dictionary",
        index(lambda t: t.set_column(1, "source_type", t[1].dictionary_encode())),
        f"{INDEX}:source_type",
        HOUSE,
    ),
    Mutant(
        "I-03",
        "an index of pandas",
        index(lambda t: t.append_column("__index_level_0__", t["snr"])),
        f"{INDEX}:__index_level_0__",
        HOUSE,
    ),
    Mutant(
        "I-03", "another compression", index(lambda table: table, compression="snappy"), INDEX, HOUSE, says="snappy"
    ),
]
