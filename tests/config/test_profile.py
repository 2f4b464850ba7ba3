"""Site profiles: every key is checked, times and amounts are those of Slurm, and the shipped examples are sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectral_zarr.config import SiteProfile, load_profile
from spectral_zarr.config.site import seconds_of, with_headroom, without_headroom
from spectral_zarr.errors import ConfigError

EXAMPLES = sorted((Path(__file__).parents[2] / "slurm" / "profiles").glob("*.toml"))


def load(path: Path, text: str) -> SiteProfile:
    path.write_text(text)
    return load_profile(path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("90:30", 5430), ("04:00:00", 14400), ("1-12", 129600), ("1-12:30", 131400), ("0-0:0:5", 5)],
)
def test_times_are_read_as_slurm_reads_them(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("2GiB", 2 << 30), ("600M", 600 << 20), ("1.5 GB", 3 << 29), ("1024", 1024)]
)
def test_amounts_of_memory_are_powers_of_two(text: str, size: int) -> None:
    assert SiteProfile(memory=text).memory_bytes == size


@pytest.mark.parametrize("worker", [1 << 30, 2 << 30, 64 << 30])
def test_a_job_asks_for_more_than_its_worker_may_use(worker: int) -> None:
    job = with_headroom(worker)
    assert job - worker >= max(200 << 20, worker // 10)
    assert without_headroom(job) == pytest.approx(worker, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("partitoin = 'main'", "unknown key 'partitoin'"),
        ("workers = 0", "workers"),
        ("memory = 'much'", "memory is an amount"),
        ("walltime = 'soon'", "walltime is a time"),
        ("walltime = '1:2:3:4'", "walltime is a time"),
        ("walltime = '3'\nlead_seconds = 180", "not longer than lead_seconds"),
        ("memory_style = 'ram'", "memory_style"),
        ('prologue = ["a\\nb"]', "one entry for each line"),
        ("directives = '--exclusive'", "directives"),
        ("[a", ""),
    ],
)
def test_what_is_wrong_is_refused_with_the_name_of_the_key(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "site.toml", text)
    assert words in str(caught.value)
    assert caught.value.path == str(tmp_path / "site.toml")


def test_a_missing_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_profile(tmp_path / "none.toml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_shipped_profile_is_sound(path: Path) -> None:
    assert load_profile(path) != SiteProfile()


def test_there_are_shipped_profiles() -> None:
    assert len(EXAMPLES) >= 3
