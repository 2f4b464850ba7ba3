"""Every benchmark runs once on a few small files and writes what it should; nothing here looks at seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
import zarr

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def generate(directory: Path, product: str, count: int, n_pix: int) -> Path:
    source = directory / "source"
    done = run("generate.py", product, str(count), source, "--n-pix", str(n_pix))
    assert done.returncode == 0, done.stderr
    assert len(list(source.iterdir())) == count
    return source


# One product of every kind of wavelength axis: a slice of a lattice (short and long), a grid per file, one grid; every
# commit tries the first and the most different one.
@pytest.mark.parametrize(
    ("product", "count", "n_pix"),
    [
        ("sdss-spec", 24, 600),
        pytest.param("harps-adp", 3, 12_000, marks=pytest.mark.sweep),
        ("uves-adp", 3, 2_000),
        pytest.param("apstar", 3, 600, marks=pytest.mark.sweep),
    ],
)
def test_contenders_write_what_ours_writes(tmp_path: Path, product: str, count: int, n_pix: int) -> None:
    source = generate(tmp_path, product, count, n_pix)
    variants = ["ours-serial", "floor", "astropy-loop"]
    if product in ("sdss-spec", "uves-adp"):
        variants += ["h5py-file", "row-writer"]
    if product == "sdss-spec":
        # Dask moves the pixels of any product in the same way; specutils reads no other of these products.
        variants += ["delayed-stack", "specutils-loop"]
    n_small = "8" if count > 8 else "0"
    done = run(
        "ingest.py",
        *(
            product,
            source,
            "--check",
            "--rounds",
            "1",
            "--marginal",
            n_small,
            "--variants",
            *variants,
        ),
        *("--work", tmp_path, "--json", tmp_path / "report.json"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["n_spectra"] == count
    assert [row["variant"] for row in report["summary"]] == variants
    assert done.stdout.count("same values as ours") == len(variants) - 2
    assert {"ours-serial / floor", "astropy-loop / ours-serial"} <= report["ratios"].keys()


def test_local_cluster_is_measured_with_its_workers(tmp_path: Path) -> None:
    source = generate(tmp_path, "sdss-spec", 4, 600)
    done = run(
        "ingest.py",
        *("sdss-spec", source, "--rounds", "1", "--variants", "ours-serial", "ours-local"),
        *("--work", tmp_path, "--json", tmp_path / "report.json"),
    )
    assert done.returncode == 0, done.stderr
    serial, local = json.loads((tmp_path / "report.json").read_text())["summary"]
    assert local["peak_tree_mb"] > 2 * serial["peak_process_mb"], "driver and two workers live at the same time"


@pytest.mark.parametrize(("product", "n_pix"), [("sdss-spec", 600), ("harps-adp", 12_000), ("apstar", 600)])
def test_parsing_gives_the_same_pixels_and_cards_in_every_way(tmp_path: Path, product: str, n_pix: int) -> None:
    source = generate(tmp_path, product, 3, n_pix)
    done = run("parse.py", product, source, "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert "3 " + product + " files, 1 rounds, same pixels and cards" in done.stdout
    assert {"ours canonical / floor canonical", "astropy canonical / ours canonical"} <= {
        line.partition(":")[0] for line in done.stdout.splitlines()
    }


def test_chunks_are_coded_written_and_read_in_every_way(tmp_path: Path) -> None:
    source = generate(tmp_path, "sdss-spec", 4, 600)
    store = tmp_path / "small.zarr"
    done = run("ours.py", source, store)
    assert done.returncode == 0, done.stderr
    done = run("chunks.py", store, "--rounds", "1", "--work", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| signal/flux_raw | ") == done.stdout.count("| signal/uncertainty_raw | ") == 7
    assert "shuffled blocks / in order" in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("source", *leftovers(store))] == []


def leftovers(store: Path) -> tuple[str, str]:
    return store.name, f"{store.name}.build"


def test_check_finds_a_changed_chunk(tmp_path: Path) -> None:
    source = generate(tmp_path, "sdss-spec", 4, 600)
    policy, ours, floor = tmp_path / "policy.json", tmp_path / "ours.zarr", tmp_path / "floor"
    for script, *arguments in (
        ("policy.py", "sdss-spec", policy),
        ("ours.py", source, ours),
        ("floor.py", "sdss-spec", source, floor, "--policy", policy),
    ):
        done = run(script, *arguments)
        assert done.returncode == 0, done.stderr
    assert run("check.py", ours, "--floor", floor).returncode == 0, "nothing is different yet"
    chunk = floor / "signal" / "flux_raw" / "c.0.0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\0")
    done = run("check.py", ours, "--floor", floor)
    assert done.returncode == 1
    assert "signal/flux_raw/c.0.0" in done.stderr


def test_check_finds_a_changed_value_and_a_missing_dataset(tmp_path: Path) -> None:
    source = generate(tmp_path, "sdss-spec", 4, 600)
    policy, ours, loop, file = (tmp_path / name for name in ("policy.json", "ours.zarr", "loop.zarr", "file.h5"))
    for script, *arguments in (
        ("policy.py", "sdss-spec", policy),
        ("ours.py", source, ours),
        ("astropy_loop.py", "sdss-spec", source, loop, "--policy", policy),
        ("h5py_file.py", "sdss-spec", source, file, "--policy", policy),
    ):
        done = run(script, *arguments)
        assert done.returncode == 0, done.stderr
    assert run("check.py", ours, "--store", loop, "--hdf5", file).returncode == 0
    zarr.open_group(loop)["metadata/ra"][2] = 1.0
    with h5py.File(file, "a") as datasets:
        datasets["signal/flux_raw"][1, 300] += 1
        del datasets["metadata/h0_plateid"]
    done = run("check.py", ours, "--store", loop, "--hdf5", file)
    assert done.returncode == 1
    named = done.stderr.removeprefix("different: ").strip().split(", ")
    assert sorted(named) == ["loop.zarr: metadata/ra", "metadata/h0_plateid", "signal/flux_raw"]


def test_a_failing_contender_ends_the_comparison(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "spec-0001-50000-0001.fits").write_bytes(b"no FITS file")
    done = run("ingest.py", "sdss-spec", source, "--rounds", "1", "--variants", "ours-serial", "--work", tmp_path)
    assert done.returncode == 1
    assert "not-fits" in done.stderr or "SIMPLE" in done.stderr


def test_the_validator_is_measured_beside_plain_decoding(tmp_path: Path) -> None:
    done = run(
        "validate.py",
        *("--gigabytes", "0.1", "--rounds", "1", "--work", tmp_path, "--json", tmp_path / "report.json"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["summary"]["ratio"] > 0
    assert not list(tmp_path.glob("**/*.zarr")), "the store is removed"


def test_an_ingest_with_syncs_is_measured_beside_one_without(tmp_path: Path) -> None:
    source = generate(tmp_path, "sdss-spec", 4, 600)
    done = run("durability.py", source, "--rounds", "1", "--work", tmp_path, "--json", tmp_path / "report.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert {name: len(runs) for name, runs in report["runs"].items()} == {"synced": 1, "unsynced": 1}
    assert report["ratios"].keys() == {"wall", "cpu"}


def test_the_driver_is_measured_with_tasks_that_do_nothing(tmp_path: Path) -> None:
    done = run(
        "scheduler.py", *("--files", "2500", "--workers", "1", "--work-files", "12"), *("--json", tmp_path / "r.json")
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "r.json").read_text())
    assert list(report["steps"]) == ["list", "request", "batches", "stage tasks", "plan", "fill tasks"]
    # 64 MiB in whole files for a batch, and 1024 rows for a block.
    assert 7 <= report["stage_tasks"] <= 8
    assert report["fill_tasks"] == 3
    total = sum(step["cpu_seconds"] for step in report["steps"].values())
    assert report["driver_cpu_seconds"] == pytest.approx(total)
    assert report["share_of_work"] == pytest.approx(total / (2500 * report["work_seconds_per_file"]))
    assert 0 < max(step["peak_bytes"] for step in report["steps"].values()) == report["peak_bytes"]


def test_damaged_copies_are_counted_by_kind(tmp_path: Path) -> None:
    source = generate(tmp_path, "sdss-spec", 1, 600)
    done = run("damage.py", source, "--copies", "18", "--places")
    assert done.returncode == 0, done.stderr
    assert "| one byte lost | as they are | 1 | 1 | 0 | 0 | 0 |" in done.stdout
    assert "| a bit of the data flipped | with DATASUM | 1 | 1 | 0 | 0 | 0 |" in done.stdout
