"""Feeding the planner: from the staged columns on disk, or from a survey in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spectral_zarr.config import Config
from spectral_zarr.contract.naming import HeaderKey
from spectral_zarr.errors import SourceError
from spectral_zarr.model import Batch, BatchFacts, StageReceipt
from spectral_zarr.plan import Planner
from spectral_zarr.plan.planner import PLAN_COLUMNS, repeated_hashes
from spectral_zarr.readers import find_reader, open_source
from spectral_zarr.store.arrow import has_number, numbers, texts
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.staging import StagedPixels, read_columns
from spectral_zarr.tasks.placement import published
from spectral_zarr.tasks.rows import PARAM_PREFIX, header_keys
from spectral_zarr.tasks.stage import Survey
from spectral_zarr.transforms import prepare


def gather_staged(
    paths: BuildPaths, receipts: Sequence[StageReceipt], batches: Sequence[BatchFacts], config: Config
) -> Planner:
    """A planner that knows all staged batches.

    Parameters
    ----------
    paths : BuildPaths
        Paths of the build.
    receipts : sequence of StageReceipt
        Receipts of all batches, in order.
    batches : sequence of BatchFacts
        The batches.
    config : Config
        Options.
    """

    def load(batch: int, row: int) -> NDArray[np.float64]:
        table = read_columns(paths.staged_columns(batch), ("grid_digest", "n_pix")).to_pydict()
        values = np.empty(table["n_pix"][row])
        pixels = StagedPixels(paths.staged_pixels(batch))
        try:
            pixels.read_into("wavelength", table["grid_digest"].index(table["grid_digest"][row]), values)
        finally:
            pixels.close()
        return values

    tables = (read_columns(paths.staged / receipt.columns.name, ("spec_id",)) for receipt in receipts)
    planner = Planner(config, load, repeated_hashes(table["spec_id"].to_pylist() for table in tables))
    for batch, receipt in zip(batches, receipts, strict=True):
        table = read_columns(paths.staged / receipt.columns.name)
        add_table(planner, batch.index, table, None, nbytes=table.nbytes, largest_file=batch.largest_file)
    return planner


def gather_surveyed(surveys: Mapping[int, Survey], batches: Sequence[Batch], config: Config) -> Planner:
    """A planner that knows all surveyed batches; explicit wavelengths are read again when they are compared."""
    members = {batch.index: batch for batch in batches}

    def load(batch: int, row: int) -> NDArray[np.float64]:
        table = surveys[batch].columns
        name, hdu, number = (table[column][row].as_py() for column in ("source_file", "source_hdu", "source_row"))
        files = (one for file in members[batch].files for one in (file, *file.companions))
        file = next(file for file in files if file.name == name)
        source = open_source(file, check_damage=config.readers.check_damage)
        reader = find_reader(source, config.readers)
        for spectrum in reader.read(source, config.readers, reader.policy):
            if not isinstance(spectrum, SourceError) and (spectrum.hdu, spectrum.row) == (hdu, number):
                values = prepare(spectrum, sort_orders=config.build.orders == "sort").wavelength
                assert values is not None
                return values
        raise LookupError(name)

    repeated = repeated_hashes(surveys[batch.index].columns["spec_id"].to_pylist() for batch in batches)
    planner = Planner(config, load, repeated)
    for batch in batches:
        survey = surveys[batch.index]
        largest = max(file.held for file in batch.files)
        add_table(planner, batch.index, survey.columns, survey.header, nbytes=survey.nbytes, largest_file=largest)
    return planner


def staged_tables(paths: BuildPaths, planner: Planner) -> Callable[[list[str]], Iterator[pa.Table]]:
    """What gives some staged columns of the rows that are published, batch by batch."""

    def tables(names: list[str]) -> Iterator[pa.Table]:
        for batch in planner.batches:
            table = read_columns(paths.staged_columns(batch.batch), names)
            yield published(_with(table, names), batch)

    return tables


def surveyed_tables(surveys: Mapping[int, Survey], planner: Planner) -> Callable[[list[str]], Iterator[pa.Table]]:
    """The same for batches that were surveyed."""

    def tables(names: list[str]) -> Iterator[pa.Table]:
        for batch in planner.batches:
            yield published(_with(surveys[batch.batch].columns, names), batch)

    return tables


def _with(table: pa.Table, names: list[str]) -> pa.Table:
    # A header field that no spectrum of the batch has is no column of it.
    for name in names:
        if name not in table.column_names:
            table = table.append_column(name, texts([""] * table.num_rows))
    return table


def add_table(
    planner: Planner,
    batch: int,
    table: pa.Table,
    header: Sequence[HeaderKey] | None,
    *,
    nbytes: int,
    largest_file: int,
) -> None:
    """Tell a planner the columns of one batch, with header keys as given or else as found in them."""
    columns = table.select(PLAN_COLUMNS).to_pydict()
    kept = planner.new_rows(columns["spec_id"])
    if len(kept) < table.num_rows:
        # What only rejected duplicates have is no column of the store.
        table = table.take(numbers(np.array(kept, np.int64)))
    params = [name for name in table.column_names if name.startswith(PARAM_PREFIX) and has_number(table[name])]
    planner.add(
        batch,
        columns,
        header_keys(table) if header is None else header,
        [name.removeprefix(PARAM_PREFIX) for name in params],
        nbytes=nbytes,
        largest_file=largest_file,
    )
