"""The stage phase: open each source file of a batch once, make its spectra canonical, write them in ragged form."""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from spectral_zarr.config import Config
from spectral_zarr.contract.naming import SPEC_ID, HeaderKey, sanitise_keyword
from spectral_zarr.errors import ReaderFailure, ResumeRefused, SourceChanged, SourceError, SpectralZarrError, Unreadable
from spectral_zarr.model import (
    WHOLE,
    Batch,
    BatchFacts,
    ChunkReceipt,
    Note,
    Rejection,
    SourceFile,
    Spectrum,
    StagedFile,
    StageReceipt,
    merged_notes,
)
from spectral_zarr.readers import (
    SUFFIXES,
    HeaderPolicy,
    RawFile,
    Reader,
    find_reader,
    joined_names,
    open_source,
    reads_parts,
)
from spectral_zarr.store.chunk_reader import file_problem
from spectral_zarr.store.fsops import open_sink, pinned, sync_directory
from spectral_zarr.store.paths import PARTIAL, PIXELS, BuildPaths, columns_name, pixels_name, receipt_name
from spectral_zarr.store.records import digest, read_record, write_record
from spectral_zarr.store.staging import PixelWriter, read_columns, write_columns
from spectral_zarr.tasks.rows import HEADER_PREFIX, Place, Row, header_key, header_keys, make_row, rows_table
from spectral_zarr.tasks.stopwatch import Stopwatch
from spectral_zarr.transforms import Prepared, prepare


def stage_batch(
    target: str, batch: Batch, config: Config, refused: Mapping[str, SourceError] = MappingProxyType({})
) -> StageReceipt:
    """Stage one batch.

    Parameters
    ----------
    target : str
        Path of the store to be published; the staging store lies beside it.
    batch : Batch
        Source files.
    config : Config
        Options of readers and transforms.
    refused : mapping of str to SourceError
        Names of files that are not to be opened, and why they are rejected.

    Returns
    -------
    StageReceipt
        Also on disk, written last. A batch with a valid receipt is not parsed again, unless files could not be read
        and the plan has not been made without them.
    """
    paths = BuildPaths.of(target)
    sources = _sources_digest(batch, config)
    with pinned(paths.staged) as staged, np.errstate(all="ignore"):
        # Absurd numbers are judged where they are checked; a warning that names no file helps nobody.
        known = _valid_receipt(staged, batch, sources)
        if known is not None and not (_may_be_mended(known) and not paths.plan.exists()):
            if (changed := _changed_source(staged, known, batch)) is None:
                return known
            if paths.plan.exists():
                message = f"{changed} has changed since it was read; give the build up with abort, or put the file back"
                raise ResumeRefused(message, path=str(paths.build))
        return _stage(staged, batch, config, sources, refused)


def deadly_batches(target: str) -> frozenset[int]:
    """Batches in which an earlier attempt at the build died: it left the pixels that it was writing, and no receipt."""
    names = set(os.listdir(BuildPaths.of(target).staged))  # noqa: PTH208 (a million Path objects take minutes)
    left = {int(name.partition(".")[0]) for name in names if PIXELS in name and name.endswith(PARTIAL)}
    return frozenset(batch for batch in left if receipt_name(batch) not in names)


def clear_leftovers(target: str, batch: Batch) -> None:
    """Remove what earlier attempts left of a batch."""
    for path in BuildPaths.of(target).staged.glob(f"{pixels_name(batch.index)}.*{PARTIAL}"):
        path.unlink(missing_ok=True)


def _may_be_mended(receipt: StageReceipt) -> bool:
    return any(rejection.code == Unreadable.code for rejection in receipt.rejections)


def batch_facts(batch: Batch, config: Config) -> BatchFacts:
    """What the plan needs to know of a batch beyond its receipt."""
    # Unpacked once.
    batch = replace(batch, files=tuple(batch.files))
    largest = max(file.held for file in batch.files)
    return BatchFacts(batch.index, batch.n_files, batch.nbytes, largest, _sources_digest(batch, config))


def _sources_digest(batch: Batch, config: Config) -> str:
    names = [
        (one.name, one.size, *([] if one.part == WHOLE else [str(one.part)]))
        for file in batch.files
        for one in (file, *file.companions)
    ]
    return digest((batch.index, names, config.readers, config.header, config.dataset, config.build))


def _stage(
    staged: Path, batch: Batch, config: Config, sources: str, refused: Mapping[str, SourceError]
) -> StageReceipt:
    watch = Stopwatch()
    rows: list[Row] = []
    rejections: list[Rejection] = []
    known_grids: set[str] = set()
    pixel_path = staged / pixels_name(batch.index)
    with open_sink(pixel_path) as sink:
        writer = PixelWriter(sink)
        for prepared, row in _accepted(batch, config, rejections, refused):
            rows.append(row)
            writer.add(
                {
                    "flux": prepared.flux,
                    "uncertainty": prepared.uncertainty,
                    "continuum": prepared.continuum,
                    "normalized_flux": prepared.normalized,
                    "normalized_uncertainty": prepared.normalized_uncertainty,
                    "wavelength": prepared.wavelength if prepared.grid.digest not in known_grids else None,
                }
            )
            known_grids.add(prepared.grid.digest)
        writer.close()
    columns = write_columns(staged / columns_name(batch.index), rows_table(rows))
    receipt = StageReceipt(
        batch=batch.index,
        sources_digest=sources,
        n_files=batch.n_files,
        n_spectra=len(rows),
        source_bytes=batch.nbytes,
        pixels=StagedFile(pixel_path.name, sink.size, sink.crc32c),
        columns=columns,
        rejections=tuple(rejections),
        notes=merged_notes(note for row in rows for note in row.notes),
        run=watch.stop(),
    )
    write_record(staged / receipt_name(batch.index), receipt)
    sync_directory(staged)
    return receipt


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a batch that was parsed and not staged.

    Attributes
    ----------
    columns : Table
        One row per accepted spectrum, without the header fields.
    header : tuple of HeaderKey
        Header keys with text in some spectrum.
    nbytes : int
        Bytes of all columns, header fields included.
    """

    batch: int
    columns: pa.Table
    rejections: tuple[Rejection, ...]
    header: tuple[HeaderKey, ...] = ()
    nbytes: int = 0
    notes: tuple[Note, ...] = ()


def survey_batch(batch: Batch, config: Config) -> Survey:
    """Parse a batch like `stage_batch` and keep its columns only; nothing is written."""
    rejections: list[Rejection] = []
    with np.errstate(all="ignore"):
        rows = [row for _, row in _accepted(batch, config, rejections)]
    table = rows_table(rows)
    joining = config.catalog.field
    kept = [name for name in table.column_names if not name.startswith(HEADER_PREFIX) or _is_field(name, joining)]
    notes = merged_notes(note for row in rows for note in row.notes)
    return Survey(batch.index, table.select(kept), tuple(rejections), header_keys(table), table.nbytes, notes)


def _is_field(column: str, field: str) -> bool:
    hdu, keyword, _ = header_key(column)
    return field.startswith(f"h{hdu}_{sanitise_keyword(keyword)}")


def _valid_receipt(staged: Path, batch: Batch, sources: str) -> StageReceipt | None:
    proof = staged / receipt_name(batch.index)
    if not proof.exists():
        return None
    receipt = read_record(proof, StageReceipt)
    files = [ChunkReceipt("", file.name, file.size, file.crc32c) for file in (receipt.pixels, receipt.columns)]
    whole = all(file_problem(staged / file.key, file) is None for file in files)
    return receipt if whole and receipt.sources_digest == sources else None


def _changed_source(staged: Path, receipt: StageReceipt, batch: Batch) -> str | None:
    """Name of a file whose content is not what was staged, where its digest was recorded."""
    table = read_columns(staged / receipt.columns.name, ("source_file", "source_sha256")).to_pydict()
    known = dict(zip(table["source_file"], table["source_sha256"], strict=True))
    for file in batch.files:
        digest_before = known.get(file.name, "")
        if digest_before and _sha256(file) != digest_before:
            return file.name
    return None


def _sha256(file: SourceFile) -> str:
    try:
        with Path(file.path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def _accepted(
    batch: Batch,
    config: Config,
    rejections: list[Rejection],
    refused: Mapping[str, SourceError] = MappingProxyType({}),
) -> Iterator[tuple[Prepared, Row]]:
    pending = deque(batch.files)
    while pending:
        file = pending.popleft()
        reader: Reader | None = None
        begun = False
        try:
            _refuse(refused, [file])
            source = _opened(file, config)
            _refuse_changed(file, source.size)
            reader = find_reader(source, config.readers)
            if not _joins(reader, file):
                # Only their names looked like those of arms.
                pending.extendleft(reversed(file.companions))
                file = replace(file, companions=())
            _refuse(refused, file.companions)
            for companion in file.companions:
                # Whoever opens it says better why it is not there.
                with suppress(OSError):
                    _refuse_changed(companion, Path(companion.path).stat().st_size)
            for spectrum, place in _spectra(file, source, reader, config):
                begun = True
                try:
                    if isinstance(spectrum, SourceError):
                        raise spectrum
                    prepared = prepare(
                        spectrum,
                        min_valid_share=config.build.min_valid_share,
                        sort_orders=config.build.orders == "sort",
                    )
                    yield prepared, make_row(prepared, place, _spec_id(spectrum, place.name))
                except SourceError as error:
                    rejections.append(_rejection(error, file.name, spectrum))
        except SourceError as error:
            if file.part.number > 1 and not (begun or file.name in refused or isinstance(error, _OF_THE_MOMENT)):
                # The first part says it of the whole file.
                continue
            sound = [companion for companion in file.companions if companion.name not in refused]
            if reader is None and not _are_arms(sound, config):
                pending.extendleft(reversed(file.companions))
                file = replace(file, companions=())
            rejections += _file_rejections(error, file)
        except (SpectralZarrError, OSError, MemoryError):
            raise
        except Exception as error:
            # A reader that trips over an unforeseen layout must cost its file and never the build.
            failure = ReaderFailure(f"{type(error).__name__}: {error}; please report this file", path=file.name)
            rejections += _file_rejections(failure, file)


_OF_THE_MOMENT = (Unreadable, SourceChanged)
"""What one task may meet and another not."""


def _refuse(refused: Mapping[str, SourceError], files: Sequence[SourceFile]) -> None:
    for file in files:
        if file.name in refused:
            raise refused[file.name]


def _refuse_changed(file: SourceFile, size: int) -> None:
    if size != file.size:
        message = f"it had {file.size} bytes when the sources were listed and has {size} now; run again when it is done"
        raise SourceChanged(message, path=file.name)


def _opened(file: SourceFile, config: Config) -> RawFile:
    return open_source(file, check_damage=config.readers.check_damage)


def _joins(reader: Reader, file: SourceFile) -> bool:
    pattern = joined_names(reader)
    return bool(pattern) and re.fullmatch(pattern, PurePath(file.name).name) is not None


def _are_arms(companions: Sequence[SourceFile], config: Config) -> bool:
    """Whether a reader joins these files, of which some may be damaged like the one that they came with."""
    for file in companions:
        try:
            return _joins(find_reader(_opened(file, config), config.readers), file)
        except SourceError:
            continue
    return False


def _spectra(
    file: SourceFile, source: RawFile, reader: Reader, config: Config
) -> Iterator[tuple[Spectrum | SourceError, Place]]:
    if file.part.number > 1 and not reads_parts(reader):
        # The task of the first part reads all.
        return
    place = Place(
        name=file.name,
        size=source.size,
        sha256=source.sha256 if config.build.hash_sources else "",
        reader=f"{reader.name}@{reader.version}",
        companions="|".join(companion.name for companion in file.companions),
    )
    for spectrum in reader.read(source, config.readers, _policy(reader, config)):
        yield _with_dataset_facts(spectrum, config), place


def _policy(reader: Reader, config: Config) -> HeaderPolicy:
    policy = reader.policy
    return HeaderPolicy((*policy.allow, *config.header.allow), (*policy.deny, *config.header.deny))


def _with_dataset_facts(spectrum: Spectrum | SourceError, config: Config) -> Spectrum | SourceError:
    facts = config.dataset
    given = {name: getattr(facts, name) for name in ("source_type", "instrument", "simulator") if getattr(facts, name)}
    if not given or isinstance(spectrum, SourceError):
        return spectrum
    return replace(spectrum, observation=replace(spectrum.observation, **given))


def _spec_id(spectrum: Spectrum, name: str) -> str:
    spec_id = spectrum.spec_id
    if not spec_id:
        stem = name
        for suffix in (".gz", ".fz", *SUFFIXES):
            stem = stem.removesuffix(suffix)
        spec_id = stem if spectrum.row == 0 else f"{stem}-h{spectrum.hdu}r{spectrum.row}"
    if SPEC_ID.match(spec_id):
        return spec_id
    # Identifiers are printable ASCII without blanks, so that they survive every table format.
    safe = "".join(c if "\x21" <= c <= "\x7e" else "_" for c in spec_id)
    return f"{safe}-{hashlib.sha256(spec_id.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def _file_rejections(error: SourceError, file: SourceFile) -> list[Rejection]:
    names = [one.name for one in (file, *file.companions)]
    guilty = error.path if error.path in names else file.name
    reason = f"it is one spectrum with {guilty}, which was rejected: {error.message}"
    return [
        _rejection(error, name) if name == guilty else Rejection(error.code, name, -1, -1, reason) for name in names
    ]


def _rejection(error: SourceError, name: str, spectrum: Spectrum | SourceError | None = None) -> Rejection:
    hdu, row = error.hdu, error.row
    if isinstance(spectrum, Spectrum):
        hdu, row = spectrum.hdu, spectrum.row
    return Rejection(
        code=error.code,
        name=name,
        hdu=-1 if hdu is None else hdu,
        row=-1 if row is None else row,
        reason=error.message,
    )
