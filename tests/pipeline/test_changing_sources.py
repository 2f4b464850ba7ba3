"""Source files that change, or that a file server fails to give for a moment, cost a retry or a rejection."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from spectral_zarr import IngestRequest, SerialExecutor, Tolerance, ingest
from spectral_zarr.errors import TooManyRejections
from spectral_zarr.readers import raw
from spectral_zarr.testing import differing_files, write_samples


class Changes(SerialExecutor):
    """Changes a file after the sources were listed and before any is read."""

    def __init__(self, change: Callable[[], object]) -> None:
        self._change = change

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        self._change()
        self._change = lambda: None
        return super().map(function, tasks)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_samples(tmp_path / "files", "wcs1d", 6, n_pix=256)
    return tmp_path / "files"


def request(files: Path, target: Path, tolerance: str = "1", *, resume: bool = False) -> IngestRequest:
    return IngestRequest((str(files),), str(target), tolerance=Tolerance.parse(tolerance), resume=resume)


def rejected(target: Path) -> dict[str, str]:
    table = pq.read_table(target.with_name(target.name + ".build") / "rejections.parquet").to_pydict()
    return dict(zip(table["source_file"], table["code"], strict=True))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda path: path.write_bytes(path.read_bytes() + bytes(2880)), "source-changed"),
        (lambda path: path.write_bytes(path.read_bytes()[:2880]), "truncated"),
        (lambda path: path.unlink(), "unreadable"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "unreadable"),
        (lambda path: (path.unlink(), path.mkdir()), "unreadable"),
    ],
    ids=["grown", "shrunk", "gone", "a pipe", "a directory"],
)
def test_a_file_that_changes_after_it_was_listed_is_rejected_alone(
    change: Callable[[Path], object], code: str, files: Path, tmp_path: Path, fixed_clock: None
) -> None:
    victim = min(files.iterdir())
    outcome = ingest(request(files, tmp_path / "x.zarr"), Changes(lambda: change(victim)))
    assert rejected(tmp_path / "x.zarr") == {victim.name: code}
    assert outcome.plan.n_spec == 5
    if victim.is_dir():
        victim.rmdir()
    victim.unlink(missing_ok=True)
    ingest(request(files, tmp_path / "y.zarr"), SerialExecutor())
    assert differing_files(tmp_path / "x.zarr", tmp_path / "y.zarr") == ["zarr.json"]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int, int], list[str]]:
    """Let the first opens of a file fail; gives the list of all opens of it."""
    monkeypatch.setattr(raw, "RETRY_PAUSES", (0.0, 0.0, 0.0))
    real = os.open

    def install(name: str, times: int, error: int) -> list[str]:
        seen: list[str] = []

        def faulty(path: Any, *arguments: Any, **options: Any) -> int:
            if str(path).endswith(name):
                seen.append(str(path))
                if len(seen) <= times:
                    raise OSError(error, os.strerror(error), path)
            return real(path, *arguments, **options)

        monkeypatch.setattr(raw.os, "open", faulty)
        return seen

    return install


class TestFileServers:
    @pytest.mark.parametrize("error", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
    def test_a_file_that_cannot_be_read_for_a_moment_is_read(
        self, error: int, files: Path, tmp_path: Path, failing: Callable[[str, int, int], list[str]]
    ) -> None:
        opened = failing(min(files.iterdir()).name, 3, error)
        assert ingest(request(files, tmp_path / "x.zarr", "0"), SerialExecutor()).plan.n_spec == 6
        assert len(opened) == 4

    def test_a_file_that_may_not_be_read_is_not_tried_again(
        self, files: Path, tmp_path: Path, failing: Callable[[str, int, int], list[str]]
    ) -> None:
        opened = failing(min(files.iterdir()).name, 9, errno.EACCES)
        ingest(request(files, tmp_path / "x.zarr"), SerialExecutor())
        assert list(rejected(tmp_path / "x.zarr").values()) == ["unreadable"]
        assert len(opened) == 1

    def test_a_file_that_could_not_be_read_is_read_when_the_build_goes_on(
        self,
        files: Path,
        tmp_path: Path,
        failing: Callable[[str, int, int], list[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        failing(min(files.iterdir()).name, 99, errno.EIO)
        with pytest.raises(TooManyRejections, match="unreadable"):
            ingest(request(files, tmp_path / "x.zarr", "0"), SerialExecutor())
        monkeypatch.undo()
        assert ingest(request(files, tmp_path / "x.zarr", "0", resume=True), SerialExecutor()).plan.n_spec == 6
