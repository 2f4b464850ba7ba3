"""Every variant that the contract allows passes without an error or a warning, also when strict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from spectral_zarr.contract.findings import Severity

from .conftest import Judge
from .good_stores import FORMAT_2, GOOD, N_PIX, Layout, create, observed, text, write

UNASKED = {("Q-01", "signal/flux_raw"), ("Q-06", "root")}
"""Nobody says how many spectra there should be, and there are no receipts."""


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_wrong_with(name: str, judge: Judge, tmp_path: Path) -> None:
    store = write(tmp_path / "good.zarr", GOOD[name]())
    for strict in (False, True):
        verdict = judge(store, strict=strict)
        assert verdict.valid
        assert {(finding.rule, finding.where) for finding in verdict.findings} == UNASKED
        assert {finding.severity for finding in verdict.findings} == {Severity.INFO}


def test_a_good_store_in_the_making_passes_as_well(judge: Judge, tmp_path: Path) -> None:
    store = write(tmp_path / "good.zarr.tmp", observed(30))
    assert {finding.rule for finding in judge(store, strict=True, n_spec_expected=30).findings} == {"Q-06"}


@pytest.mark.parametrize(
    ("layout", "dtype", "fill"),
    [
        ({}, str, "observed"),
        (FORMAT_2, str, "observed"),
        (FORMAT_2, "U8", "observed"),
        (FORMAT_2, "S8", b"observed"),
        (FORMAT_2, "S12", b"observed"),
    ],
    ids=["format 3", "format 2", "fixed length", "bytes", "padded bytes"],
)
def test_text_that_is_only_the_fill_value_of_its_array_is_read(
    layout: dict[str, Any], dtype: Any, fill: Any, judge: Judge, tmp_path: Path
) -> None:
    content = observed(30).having(**layout)
    store = write(tmp_path / "good.zarr", content)
    values = np.full(30, fill, object if dtype is str else dtype)
    field = zarr.open_group(str(store), mode="r+")["metadata"]
    del field["source_type"]
    create(field, "source_type", values, content.layout, fill_value=fill)
    assert {path.name[0] for path in (store / "metadata/source_type").iterdir()} <= {".", "z"}
    assert {finding.rule for finding in judge(store, strict=True).findings} == {"Q-01", "Q-06"}


class TestWhatTheContractDoesNotName:
    @pytest.mark.parametrize("layout", [{}, FORMAT_2], ids=["format 3", "format 2"])
    def test_is_only_noted(self, layout: dict[str, Any], judge: Judge, tmp_path: Path) -> None:
        content = observed(30).having(**layout)
        store = write(tmp_path / "good.zarr", content)
        root = zarr.open_group(str(store), mode="r+")
        root.attrs.update({"telescope": "ESO 3.6 m", "pipeline_options": {"sky": True}})
        mask = np.zeros((30, N_PIX), "i4")
        create(root, "quality/mask", mask, content.layout)
        create(root, "auxiliary/lsf/matrix", np.zeros((5, 7, 11)), content.layout)
        create(root, "auxiliary/catalogue", np.arange(7), content.layout)
        create(root, "representations/best_fit_model", mask.astype("f4"), content.layout)
        create(root, "signal/flags", mask, content.layout)
        create(root, "metadata/seeing", np.full(30, 0.8), content.layout)
        create(root, "metadata/comment", text(["é"] * 30), content.layout)
        create(root, "params/c_fe", np.full(30, np.nan), content.layout)
        for strict in (False, True):
            verdict = judge(store, strict=strict)
            assert {finding.severity for finding in verdict.findings} == {Severity.INFO}
            noted = {finding.where for finding in verdict.findings if finding.rule == "E-01"}
            assert noted == {"root", "quality", "auxiliary", "representations/best_fit_model", "signal/flags"}

    def test_never_makes_a_store_invalid_by_its_storage(self, judge: Judge, tmp_path: Path) -> None:
        store = write(tmp_path / "good.zarr", observed(30))
        root = zarr.open_group(str(store), mode="r+")
        create(root, "quality/mask", np.zeros((30, N_PIX), "i4"), Layout(), compressor="zarr")
        create(root, "quality/bits", np.zeros((30, N_PIX), "i4"), Layout(), chunks=(1, N_PIX))
        create(root, "signal/flags", np.zeros((30, N_PIX), "u1"), Layout(), compressor="zarr")
        for strict in (False, True):
            verdict = judge(store, strict=strict)
            assert verdict.valid
            warned = {(f.rule, f.where) for f in verdict.findings if f.severity is Severity.WARNING}
            assert warned == {("Z-01", "quality/mask"), ("K-03", "quality/bits"), ("Z-01", "signal/flags")}


class TestTheVariantsAreOnDiskWhatTheirNamesSay:
    def documents(self, name: str, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
        store = write(tmp_path / "good.zarr", GOOD[name]())
        flux = store / "signal" / "flux_raw"
        return store, json.loads((flux / ("zarr.json" if (flux / "zarr.json").exists() else ".zarray")).read_text())

    def test_format_2_has_dots_in_its_keys(self, tmp_path: Path) -> None:
        store, document = self.documents("format 2", tmp_path)
        assert document["compressor"] == {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 2, "blocksize": 0}
        assert {path.name for path in (store / "signal/flux_raw").iterdir()} >= {"0.0", "1.0"}

    def test_format_3_may_have_them_too(self, tmp_path: Path) -> None:
        store, _ = self.documents("format 3, chunk keys with .", tmp_path)
        assert {path.name for path in (store / "signal/flux_raw").iterdir()} == {"zarr.json", "c.0.0", "c.1.0"}

    @pytest.mark.parametrize(("name", "kind"), [("text", "<U"), ("bytes", "|S")])
    def test_text_has_a_fixed_length(self, name: str, kind: str, tmp_path: Path) -> None:
        store, _ = self.documents(f"format 2, {name} of fixed length", tmp_path)
        assert json.loads((store / "metadata/object/.zarray").read_text())["dtype"].startswith(kind)

    def test_shards_hold_several_chunks(self, tmp_path: Path) -> None:
        _, document = self.documents("sharded", tmp_path)
        assert document["chunk_grid"]["configuration"]["chunk_shape"] == [1024, N_PIX]
        assert document["codecs"][0]["name"] == "sharding_indexed"
        assert document["codecs"][0]["configuration"]["chunk_shape"] == [128, N_PIX]

    def test_metadata_are_consolidated(self, tmp_path: Path) -> None:
        store, _ = self.documents("format 3, consolidated", tmp_path)
        assert "consolidated_metadata" in json.loads((store / "zarr.json").read_text())

    def test_high_resolution_has_several_columns_of_chunks(self, tmp_path: Path) -> None:
        store, _ = self.documents("high resolution, several columns of chunks", tmp_path)
        assert {path.name for path in (store / "signal/flux_raw/c/1").iterdir()} == {"0", "1", "2"}
