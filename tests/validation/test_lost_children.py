"""A process that dies while it decodes costs the rows of one array, never the validator or the rest of the store."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import zarr

from spectral_zarr import SerialExecutor, validate
from spectral_zarr.cluster import SilentObserver, ThreadExecutor, isolation
from spectral_zarr.cluster.local import local_executor
from spectral_zarr.errors import ClusterLost

from .faults import FLUX, UNCERTAINTY, chunk_of, errors, message, spoiled
from .good_stores import observed, write

DYING = """
import os, signal, time, zlib
from numcodecs import blosc

class Dying(blosc.Blosc):
    def decode(self, payload, out=None):
        if str(zlib.crc32(payload)) in os.environ["FATAL_CHUNKS"].split():
            {how}
        return super().decode(payload, out)

blosc.Blosc = Dying
"""
"""A decoder that some chunks end, as a module that every new interpreter imports."""

WAYS = {
    "SIGSEGV": "os.kill(os.getpid(), signal.SIGSEGV)",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "code 3": "os._exit(3)",
    "MemoryError": "bytearray(1 << 45)",
    "LookupError": "raise LookupError",
}
RAISED = ("MemoryError", "LookupError")


@pytest.fixture(scope="module")
def spoiled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose only fault is one blank row."""
    return spoiled(tmp_path_factory.mktemp("spoiled"))


@pytest.fixture
def store(spoiled_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(spoiled_store, tmp_path / "stars.zarr"))


class Decoder:
    """Says which chunks end a decoder of processes that start from now on, and how."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.monkeypatch = monkeypatch
        directory.mkdir()
        monkeypatch.syspath_prepend(directory)

    def dies_of(self, *chunks: Path, how: str) -> None:
        (self.directory / "sitecustomize.py").write_text(DYING.format(how=how))
        fatal = " ".join(str(zlib.crc32(chunk.read_bytes())) for chunk in chunks)
        self.monkeypatch.setenv("FATAL_CHUNKS", fatal)


@pytest.fixture
def decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Decoder:
    return Decoder(tmp_path / "decoder", monkeypatch)


@pytest.fixture
def threads() -> Iterator[ThreadExecutor]:
    """Children that start in the test, so that they have its decoder."""
    with ThreadExecutor(2) as executor:
        yield executor


class TestOneArray:
    @pytest.mark.parametrize("way", WAYS)
    def test_is_named_and_the_others_are_checked(
        self, store: Path, decoder: Decoder, way: str, threads: ThreadExecutor
    ) -> None:
        decoder.dies_of(chunk_of(store, UNCERTAINTY), how=WAYS[way])
        verdict = validate(store, executor=threads)
        assert errors(verdict) >= {("Q-02", FLUX)}
        if way in RAISED:
            # Nobody has died: this is a chunk that cannot be decoded.
            where = f"{UNCERTAINTY}/{chunk_of(store, UNCERTAINTY).name}"
            assert errors(verdict) == {("Q-02", FLUX), ("Z-03", where)}
            return
        assert errors(verdict) == {("Q-02", FLUX), ("Z-03", UNCERTAINTY)}
        assert way in message(verdict, "Z-03", UNCERTAINTY)
        (finding,) = (f for f in verdict.findings if f.rule == "Z-03")
        assert finding.count == 12

    @pytest.mark.parametrize("array", ["metadata/source_file", "signal/wavelength", FLUX])
    def test_of_every_kind_is_named(self, store: Path, decoder: Decoder, array: str, threads: ThreadExecutor) -> None:
        decoder.dies_of(chunk_of(store, array), how=WAYS["SIGSEGV"])
        found = errors(validate(store, executor=threads))
        assert ("Z-03", array) in found
        assert (("Q-02", FLUX) in found) == (array != FLUX)
        assert {where for rule, where in found if rule == "Z-03"} == {array}

    def test_that_hangs_is_given_up(
        self, store: Path, decoder: Decoder, monkeypatch: pytest.MonkeyPatch, threads: ThreadExecutor
    ) -> None:
        monkeypatch.setattr(isolation, "MOST_SECONDS", 5.0)
        decoder.dies_of(chunk_of(store, UNCERTAINTY), how="time.sleep(3600)")
        verdict = validate(store, executor=threads)
        assert errors(verdict) == {("Q-02", FLUX), ("Z-03", UNCERTAINTY)}
        assert "no answer within 5 s" in message(verdict, "Z-03", UNCERTAINTY)

    def test_an_index_that_ends_its_reader(self, store: Path, decoder: Decoder, threads: ThreadExecutor) -> None:
        (decoder.directory / "sitecustomize.py").write_text(
            "import os, pyarrow.parquet\npyarrow.parquet.ParquetFile = lambda path: os.abort()\n"
        )
        verdict = validate(store, executor=threads)
        assert errors(verdict) == {("Q-02", FLUX), ("L-03", "index.parquet")}
        assert "SIGABRT" in message(verdict, "L-03", "index.parquet")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve rows of chunks, which are one task; the rows of the flux are blank in the last."""
    store = write(tmp_path_factory.mktemp("large") / "large.zarr", observed(12 * 1024))
    flux = zarr.open_group(str(store), mode="r+", use_consolidated=False)[FLUX]
    assert flux.chunks[0] == 1024
    flux[12 * 1024 - 1] = 0
    for row in range(12):
        flux[row * 1024, 0] = np.float32(row + 1)
    return store


class TestManyRows:
    def test_only_the_rows_of_the_chunk_are_lost(self, large: Path, decoder: Decoder, threads: ThreadExecutor) -> None:
        flux = zarr.open_group(str(large), mode="r")[FLUX]
        decoder.dies_of(
            *(large / FLUX / flux.metadata.encode_chunk_key((row, 0)) for row in (2, 7)), how=WAYS["SIGSEGV"]
        )
        verdict = validate(large, executor=threads)
        (lost,) = (f for f in verdict.findings if f.rule == "Z-03")
        assert (lost.where, lost.count) == (FLUX, 2048)
        assert lost.rows[0] == 2048
        (blank,) = (f for f in verdict.findings if f.rule == "Q-02")
        assert blank.rows == (12 * 1024 - 1,)


class TestWorkers:
    def test_a_child_of_a_dask_worker_that_dies_is_the_same_finding(
        self, store: Path, decoder: Decoder, threads: ThreadExecutor
    ) -> None:
        decoder.dies_of(chunk_of(store, UNCERTAINTY), how=WAYS["SIGSEGV"])
        with local_executor(1) as cluster:
            verdict = validate(store, executor=cluster)
        assert errors(verdict) == {("Q-02", FLUX), ("Z-03", UNCERTAINTY)}
        assert verdict.findings == validate(store, executor=threads).findings

    def test_a_chunk_that_ends_dask_workers_ends_the_validation_with_a_clean_error(
        self, store: Path, decoder: Decoder
    ) -> None:
        decoder.dies_of(chunk_of(store, UNCERTAINTY), how="os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)")
        with local_executor(1) as cluster, pytest.raises(ClusterLost, match="lost its workers again and again"):
            validate(store, executor=cluster)


class TestChildren:
    def test_are_gone_after_the_validation(self, store: Path) -> None:
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        assert errors(validate(store)) == {("Q-02", FLUX)}
        assert {child.pid for child in psutil.Process().children(recursive=True)} <= before

    def test_of_one_executor_do_not_end_with_another(self, store: Path, threads: ThreadExecutor) -> None:
        own = SerialExecutor()
        wanted = validate(store, executor=threads).findings
        assert validate(store, executor=own).findings == wanted
        with ThreadExecutor(1) as other:
            assert validate(store, executor=other).findings == wanted
        mine = {child.pid for child in psutil.Process().children()}
        assert validate(store, executor=own).findings == wanted
        assert {child.pid for child in psutil.Process().children()} == mine

    def test_end_at_once_when_the_validation_is_interrupted(self, store: Path) -> None:
        class Interrupts(SilentObserver):
            """Presses Ctrl-C when the first rows have been read."""

            def advance(self, amount: int) -> None:
                raise KeyboardInterrupt

        before = {child.pid for child in psutil.Process().children(recursive=True)}
        with pytest.raises(KeyboardInterrupt):
            validate(store, observer=Interrupts())
        assert {child.pid for child in psutil.Process().children(recursive=True)} <= before

    def test_keep_to_a_limit_of_memory_that_is_lower_than_their_own(self, store: Path) -> None:
        program = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30));"
            "from spectral_zarr import validate; print(*(f.rule for f in validate(sys.argv[1]).findings))"
        )
        command = [sys.executable, "-c", program, str(store)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert done.stdout.split() == [finding.rule for finding in validate(store).findings]
