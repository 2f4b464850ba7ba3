"""Damaged bytes: with receipts every one is found, without them the others change nothing or are listed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import pytest

from spectral_zarr import Verdict, validate
from spectral_zarr.cluster import Executor, ThreadExecutor
from spectral_zarr.errors import UsageError

from .builds import Format, built, contents, copied, files_of

SECONDS = 120


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """One child process for all of these tests."""
    with ThreadExecutor(1) as threads:
        yield threads


@pytest.fixture(scope="module")
def reader() -> Iterator[ProcessPoolExecutor]:
    """Where zarr-python reads damaged stores."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture(scope="module", params=[2, 3])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound store of either format with its receipts."""
    zarr_format: Format = request.param
    return built(tmp_path_factory.mktemp(f"format-{zarr_format}"), zarr_format)


def places(verdict: Verdict) -> set[tuple[str, str, str]]:
    return {(finding.rule, finding.where, finding.message) for finding in verdict.findings}


class Trials:
    """Single damaged bytes, and what becomes of each."""

    def __init__(self, store: Path, executor: Executor, reader: ProcessPoolExecutor) -> None:
        self.store = store
        self.executor = executor
        self.reader = reader
        self.sound = places(validate(store, executor=executor))
        self.intact = contents(store)
        assert not self.intact.startswith("unreadable")
        assert validate(store, deep=True, executor=executor).findings == ()

    def judge(self, path: Path, payload: bytes) -> str:
        """The class of a file with other content; the file is restored."""
        before = path.read_bytes()
        path.write_bytes(payload)
        try:
            deep = validate(self.store, deep=True, executor=self.executor)
            assert not deep.valid, "not found although there are receipts"
            plain = validate(self.store, executor=self.executor)
            for finding in (*deep.findings, *plain.findings):
                # A library may end its process, but no exception of it may take that for a chunk.
                assert "ended the process" not in finding.message or "it died of SIG" in finding.message, finding
            if not plain.valid:
                return "found"
            try:
                read = self.reader.submit(contents, self.store).result(SECONDS)
            except BrokenProcessPool:
                raise AssertionError("a damage that ends zarr-python was not found") from None
            assert not read.startswith("unreadable"), f"not found although zarr-python refuses it: {read}"
            if read == self.intact:
                return "harmless"
            listed = [finding for finding in plain.findings if finding.rule == "Q-06"]
            assert "damage that still decodes is not found without --deep" in listed[0].message
            return "warned" if places(plain) - self.sound else "undetectable"
        finally:
            path.write_bytes(before)

    def run(self, n_trials: int, seed: int) -> Counter[str]:
        dice = random.Random(seed)
        files = files_of(self.store)
        counts: Counter[str] = Counter()
        for _ in range(n_trials):
            path = dice.choice(files)
            payload = bytearray(path.read_bytes())
            position = dice.randrange(len(payload))
            payload[position] ^= dice.randrange(1, 256)
            try:
                counts[self.judge(path, bytes(payload))] += 1
            except Exception as error:
                raise AssertionError(f"{path.relative_to(self.store)}, byte {position}: {error}") from error
        return counts


@pytest.fixture(scope="module")
def trials(store: Path, executor: Executor, reader: ProcessPoolExecutor) -> Trials:
    """Trials on the store."""
    return Trials(store, executor, reader)


class TestOneByte:
    def test_a_damaged_byte_is_found_or_harmless_or_listed_as_undetectable(
        self, trials: Trials, record_property: pytest.RecordProperty
    ) -> None:
        counts = trials.run(100, seed=20261125)
        record_property("damage", dict(counts))
        assert counts.total() == 100
        assert counts["found"] > 60

    @pytest.mark.sweep
    @pytest.mark.parametrize("seed", range(5))
    def test_five_hundred_damaged_bytes(
        self, trials: Trials, seed: int, record_property: pytest.RecordProperty
    ) -> None:
        counts = trials.run(500, seed)
        record_property("damage", dict(counts))
        print(f"seed {seed}: {dict(counts)}")
        assert counts.total() == 500


class TestWholeFiles:
    @pytest.mark.parametrize("damage", ["empty", "cut by one byte", "cut in half", "zeros", "random", "one byte more"])
    def test_every_kind_of_damage_to_every_file_is_found_with_receipts(self, trials: Trials, damage: str) -> None:
        dice = random.Random(damage)
        # Documents, text, numbers and the index are as many kinds of files as there are readers.
        files = [path for path in files_of(trials.store) if not path.parent.name.startswith("h0_")]
        for path in dice.sample(files, 12):
            before = path.read_bytes()
            payload = {
                "empty": b"",
                "cut by one byte": before[:-1],
                "cut in half": before[: len(before) // 2],
                "zeros": bytes(len(before)),
                "random": dice.randbytes(len(before)),
                "one byte more": before + b"\0",
            }[damage]
            if payload != before:
                trials.judge(path, payload)


class TestReceipts:
    @pytest.fixture
    def copy(self, store: Path, tmp_path: Path) -> Path:
        return copied(store, tmp_path)

    def test_a_built_store_is_what_its_receipts_say(self, store: Path, executor: Executor) -> None:
        verdict = validate(store, deep=True, strict=True, executor=executor)
        assert verdict.valid
        assert verdict.findings == ()

    def test_a_removed_file_is_found(self, store: Path, executor: Executor) -> None:
        # Without the documents of the root, there is no store.
        files = [path for path in files_of(store) if path.parent != store or path.name == "index.parquet"]
        for path in random.Random(1).sample(files, 25):
            aside = path.with_name("aside")
            path.rename(aside)
            try:
                verdict = validate(store, deep=True, executor=executor)
            finally:
                aside.rename(path)
            wheres = {finding.where for finding in verdict.findings if finding.rule == "Q-06"}
            assert str(path.relative_to(store)) in wheres

    def test_swapped_chunks_are_found(self, copy: Path, executor: Executor) -> None:
        one, other = (next((copy / "signal" / name).glob("*0.0")) for name in ("flux_raw", "uncertainty_raw"))
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)
        assert validate(copy, executor=executor).valid
        verdict = validate(copy, deep=True, executor=executor)
        found = {finding.where for finding in verdict.findings if finding.rule == "Q-06"}
        assert found == {str(path.relative_to(copy)) for path in (one, other)}

    @pytest.mark.parametrize("name", ["notes.txt", "signal/notes.txt", "signal/flux_raw/7.7", "c", "metadata/OTHER"])
    def test_a_file_that_was_never_written_is_found(self, copy: Path, name: str, executor: Executor) -> None:
        # A document of the other format belongs to no store.
        name = name.replace("OTHER", ".zattrs" if (copy / "zarr.json").exists() else "zarr.json")
        (copy / name).write_text("{}")
        verdict = validate(copy, deep=True, executor=executor)
        (finding,) = [finding for finding in verdict.findings if finding.rule == "Q-06"]
        assert finding.where == name
        assert "without a receipt" in finding.message

    def test_a_chunk_where_only_fill_values_were_written_is_found(self, copy: Path, executor: Executor) -> None:
        written = next((copy / "signal" / "flux_raw").glob("*0.0"))
        forged = copy / "continuum" / "continuum_model" / written.name
        assert not forged.exists()
        forged.write_bytes(written.read_bytes())
        verdict = validate(copy, deep=True, executor=executor)
        wheres = {finding.where for finding in verdict.findings if finding.rule == "Q-06"}
        assert wheres == {str(forged.relative_to(copy))}

    def test_a_damaged_root_is_found_and_not_taken_for_another_build(self, copy: Path, executor: Executor) -> None:
        name = "zarr.json" if (copy / "zarr.json").exists() else ".zattrs"
        text = (copy / name).read_text()
        (copy / name).write_text(text.replace('"plan_sha256": "', '"plan_sha256": "0', 1))
        verdict = validate(copy, deep=True, executor=executor)
        assert name in {finding.where for finding in verdict.findings if finding.rule == "Q-06"}


class TestWithoutUsableReceipts:
    @pytest.fixture
    def copy(self, store: Path, tmp_path: Path) -> Path:
        return copied(store, tmp_path)

    def test_no_receipts_at_all(self, copy: Path, executor: Executor) -> None:
        copy.with_name("stars.zarr.build").rename(copy.with_name("elsewhere"))
        with pytest.raises(UsageError, match=r"no receipts in stars\.zarr\.build") as caught:
            validate(copy, deep=True, executor=executor)
        assert caught.value.path == str(copy)
        assert validate(copy, executor=executor).valid

    def test_receipts_of_another_build(self, copy: Path, tmp_path: Path, executor: Executor) -> None:
        (tmp_path / "other").mkdir()
        other = built(tmp_path / "other", product="harps-s1d")
        for path in (copy, copy.with_name("stars.zarr.build")):
            path.rename(path.with_name(f"was-{path.name}"))
        other.rename(copy)
        copy.with_name("was-stars.zarr.build").rename(copy.with_name("stars.zarr.build"))
        with pytest.raises(UsageError, match="another build"):
            validate(copy, deep=True, executor=executor)

    @pytest.mark.parametrize("name", ["plan.json", "receipts/columns.json", "receipts/block-000000.json"])
    @pytest.mark.parametrize("damage", ["absent", "cut", "of another plan"])
    def test_a_receipt_that_cannot_be_used(self, copy: Path, name: str, damage: str, executor: Executor) -> None:
        path = copy.with_name("stars.zarr.build") / name
        payload = path.read_bytes()
        if damage == "absent":
            path.unlink()
        elif damage == "cut":
            path.write_bytes(payload[:-20])
        else:
            key = b'"n_spec":' if name == "plan.json" else b'"plan_sha256":"'
            assert key in payload
            path.write_bytes(payload.replace(key, key + b"1", 1))
        with pytest.raises(UsageError, match="receipts"):
            validate(copy, deep=True, executor=executor)
