"""Listing the source files: every one once, in the order of their names, packed, and cut into the same batches."""

from __future__ import annotations

import os
import pickle
import random
import tracemalloc
from pathlib import Path

import pytest

from spectral_zarr.config.options import BuildOptions
from spectral_zarr.errors import NoSources, UsageError
from spectral_zarr.model import SourceFile, SourceFiles
from spectral_zarr.tasks import sources
from spectral_zarr.tasks.sources import make_batches, scan_sources, status_of

N_LISTED = 20_000


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.fsencode(name))


def names(*given: Path | str) -> list[str]:
    return [file.name for file in scan_sources([str(source) for source in given])]


def test_files_of_all_directories_are_in_the_order_of_the_bytes_of_their_names(tmp_path: Path) -> None:
    draw = random.Random(7)
    parts = ["a", "a-b", "a.b", "a b", "B", "é", "z0", "z", "a0"]
    wanted = {
        "/".join([*(draw.choice(parts) + "d" * draw.randint(0, 1) for _ in range(draw.randint(0, 3))), name])
        for _ in range(200)
        for name in [f"{draw.choice(parts)}{draw.randint(0, 9)}.fits"]
    }
    write(tmp_path, *wanted)
    write(tmp_path, "a/notes.pdf", "z/readme")
    assert names(tmp_path) == sorted(wanted, key=str.encode)
    assert [Path(file.path).read_text() for file in scan_sources([str(tmp_path)])] == names(tmp_path)


def test_what_is_named_twice_is_listed_once(tmp_path: Path) -> None:
    write(tmp_path, "a/1.fits", "a/b/2.fits", "a/b/odd.dat", "c/3.fits", "d/4.fits")
    given = [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/2.fits", tmp_path / "a/b/odd.dat", tmp_path / "c/3.fits"]
    (tmp_path / "list.txt").write_text(f"{tmp_path}/c/*.fits\n")
    assert names(*given, f"@{tmp_path}/list.txt") == ["a/1.fits", "a/b/2.fits", "a/b/odd.dat", "c/3.fits"]
    assert names(tmp_path / "a/1.fits") == ["1.fits"]


@pytest.mark.parametrize("make", [os.link, os.symlink])
def test_one_file_under_two_names_is_refused(tmp_path: Path, make: object) -> None:
    write(tmp_path, "a/1.fits", "b/2.fits")
    assert callable(make)
    make(tmp_path / "a/1.fits", tmp_path / "b/3.fits")
    with pytest.raises(UsageError, match=r"b/3\.fits: it is the same file as a/1\.fits"):
        names(tmp_path)


def test_links_to_directories_are_followed_only_when_they_are_named(tmp_path: Path) -> None:
    write(tmp_path, "a/1.fits", "b/2.fits")
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    (tmp_path / "a/other").symlink_to(tmp_path / "b")
    assert names(tmp_path / "a") == ["1.fits"]
    assert names(tmp_path / "a", tmp_path / "a/other") == ["1.fits", "other/2.fits"]


def test_a_name_that_is_not_utf_8_is_escaped_and_its_path_opens_the_file(tmp_path: Path) -> None:
    write(tmp_path, "d/x.fits", "d\udcff/\udc80.fits", "d/y.fits")
    found = scan_sources([str(tmp_path)])
    assert [file.name for file in found] == ["d/x.fits", "d/y.fits", "d\\xff/\\x80.fits"]
    assert Path(found[2].path).read_bytes()
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 9])
def test_a_limit_gives_the_first_and_looks_at_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    write(tmp_path, "b/2.fits", "b/1.fits", "a.fits", "c/9.fits", "c/d/1.fits")
    everything = list(scan_sources([str(tmp_path)]))
    looked: list[str] = []

    def looking(path: str) -> os.stat_result | None:
        looked.append(path)
        return status_of(path)

    monkeypatch.setattr(sources, "status_of", looking)
    assert list(scan_sources([str(tmp_path)], limit)) == everything[:limit]
    assert looked == [file.path for file in everything[:limit]]


def test_a_link_that_leads_nowhere_is_listed(tmp_path: Path) -> None:
    write(tmp_path, "1.fits")
    (tmp_path / "2.fits").symlink_to(tmp_path / "gone")
    (tmp_path / "3.fits").symlink_to("3.fits")
    assert names(tmp_path) == ["1.fits", "2.fits", "3.fits"]


def test_a_file_that_is_gone_when_it_is_looked_at_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "1.fits", "2.fits")

    def removing(path: str) -> os.stat_result | None:
        (tmp_path / "2.fits").unlink(missing_ok=True)
        return status_of(path)

    monkeypatch.setattr(sources, "status_of", removing)
    found = scan_sources([str(tmp_path)])
    assert [(file.name, file.size) for file in found] == [("1.fits", 6), ("2.fits", 0)]


def test_an_empty_directory_has_no_sources(tmp_path: Path) -> None:
    with pytest.raises(NoSources):
        scan_sources([str(tmp_path)])


def many(number: int) -> SourceFiles:
    return SourceFiles(
        SourceFile(f"/data/{i // 1000:05d}/spec-{i}.fits", f"{i // 1000:05d}/spec-{i}.fits", 1000 + i % 7)
        for i in range(number)
    )


def test_a_large_directory_takes_little_memory_to_list(tmp_path: Path) -> None:
    for number in range(N_LISTED):
        (tmp_path / f"spec-1234-56789-{number:06d}.fits").touch()
    scan_sources([str(tmp_path)])
    tracemalloc.start()
    files = scan_sources([str(tmp_path)])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(files) == N_LISTED
    assert peak < 350 * N_LISTED, "a name and the order, where an os.stat_result alone takes more"


def test_packed_files_are_a_sequence() -> None:
    files = many(10_000)
    plain = list(files)
    assert len(files) == len(plain) == files.n_files == 10_000
    assert files.nbytes == sum(file.size for file in plain)
    assert [files[i] for i in (0, 4095, 4096, -1)] == [plain[i] for i in (0, 4095, 4096, -1)]
    assert list(files[:17]) == plain[:17]
    assert list(files[4000:9000:500]) == plain[4000:9000:500]
    assert files[:17] == SourceFiles(plain[:17])
    assert hash(files[:17]) == hash(SourceFiles(plain[:17]))
    assert files[:17] != files[:16]
    with pytest.raises(IndexError):
        files[10_000]
    with pytest.raises(ValueError, match="one order"):
        files[::-1]


def test_companions_are_packed_with_their_file() -> None:
    arms = SourceFile("/a/1", "1", 10, (SourceFile("/a/2", "2", 20), SourceFile("/a/3", "3", 30)))
    files = SourceFiles([arms, SourceFile("/a/4", "4", 40)])
    assert next(iter(files)) == files[0] == arms
    assert (len(files), files.n_files, files.nbytes) == (2, 4, 100)


def test_batches_hold_all_files_in_order_and_little_memory() -> None:
    tracemalloc.start()
    files = many(50_000)
    batches = make_batches(files, BuildOptions(batch_files=500))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [file for batch in batches for file in batch.files] == list(files)
    assert [batch.index for batch in batches] == list(range(100))
    assert {batch.n_files for batch in batches} == {500}
    assert sum(batch.nbytes for batch in batches) == files.nbytes
    assert held < 50 * len(files), "both together, where a SourceFile takes 500 bytes"
    assert len(pickle.dumps(batches[0])) < 10 * 500 + 1000
