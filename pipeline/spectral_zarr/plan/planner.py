"""The planner: takes the columns of one staged batch after another and freezes the build plan."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from spectral_zarr.config import Config
from spectral_zarr.contract import schema
from spectral_zarr.contract.chunks import ChunkShape, is_tiny, spectral_chunks
from spectral_zarr.contract.naming import HeaderKey, header_names
from spectral_zarr.errors import ConfigError, DuplicateSpecId
from spectral_zarr.model import BatchRows, BuildPlan, CatalogPlan, Grid, Rejection
from spectral_zarr.plan.agreement import Agreement
from spectral_zarr.plan.layout import predict_files, promise_memory
from spectral_zarr.plan.wavelength import Load, WavelengthTally

Columns = Mapping[str, list[Any]]

_GRID_COLUMNS = (
    *("grid_scale", "grid_start", "grid_step", "grid_first", "grid_digest", "n_pix", "wave_min", "wave_max"),
)

PLAN_COLUMNS = (
    *("spec_id", "source_file", "source_hdu", "source_row", "source_size", "source_type", "reader", "instrument"),
    *("wavelength_medium", "velocity_frame", "wave_min", "wave_max", "flux_unit", "flux_unit_original"),
    *("grid_scale", "grid_start", "grid_step", "grid_first", "grid_digest", "n_pix"),
    *("has_uncertainty", "has_continuum", "has_normalized"),
)
"""Staged columns that `Planner.add` reads."""


def repeated_hashes(identifiers: Iterable[Iterable[str]]) -> set[int]:
    """Hashes that more than one identifier of all batches has: eight bytes for each, where its text takes a hundred."""
    hashes = array("q")
    for batch in identifiers:
        hashes.extend(map(hash, batch))
    held = np.sort(np.frombuffer(hashes, np.int64))
    return set(held[1:][held[1:] == held[:-1]].tolist())


class Planner:
    """Accumulates what the plan needs; memory grows with the number of batches, and of repeated identifiers.

    Parameters
    ----------
    config : Config
        Options of the store and the data set.
    load : callable
        Wavelengths of an explicit grid by batch and staged row.
    repeated : container of int
        Hashes of the identifiers that may occur more than once, see `repeated_hashes`.
    """

    def __init__(self, config: Config, load: Load, repeated: Container[int]) -> None:
        self._config = config
        self._repeated = repeated
        self._seen: dict[str, tuple[int, int, str]] = {}
        self._wavelength = WavelengthTally(load)
        self._agreements = {
            "wavelength_medium": Agreement("the medium of the wavelengths"),
            "velocity_frame": Agreement("the velocity frame"),
            "flux_unit": Agreement("the flux unit"),
        }
        self._original_unit = Agreement("the unit text")
        self._readers = Agreement("the reader")
        self._instruments = Agreement("the instrument")
        self._header: set[HeaderKey] = set()
        self._params: set[str] = set()
        self._has = {"has_uncertainty": False, "has_continuum": False, "has_normalized": False}
        self._batches: list[BatchRows] = []
        self._largest_file = self._largest_batch = 0
        self._column_bytes = self._pending_rows = self._pending_bytes = 0
        self.rejections: list[Rejection] = []
        self.n_spec = 0

    def add(
        self,
        batch: int,
        columns: Columns,
        header: Iterable[HeaderKey],
        params: Iterable[str],
        *,
        nbytes: int,
        largest_file: int,
    ) -> None:
        """Take one batch, in order.

        Parameters
        ----------
        batch : int
            Index of the batch.
        columns : mapping of str to list
            The `PLAN_COLUMNS` of its staged spectra.
        header : iterable of HeaderKey
            Header keys with text in some spectrum.
        params : iterable of str
            Parameter names with a value in some spectrum.
        nbytes : int
            Bytes of its staged columns.
        largest_file : int
            Bytes of its largest source file.
        """
        excluded = self._reject_duplicates(batch, columns)
        kept = [row for row in range(len(columns["spec_id"])) if row not in excluded]
        names = [columns["source_file"][row] for row in kept]
        for field, agreement in self._agreements.items():
            agreement.add([columns[field][row] for row in kept], names)
        for agreement, field in (
            (self._original_unit, "flux_unit_original"),
            (self._readers, "reader"),
            (self._instruments, "instrument"),
        ):
            agreement.add([columns[field][row] for row in kept], names)
        for row in _new_grids(columns, excluded):
            self._wavelength.add(grid_of(columns, row), batch, row)
        for field in self._has:
            self._has[field] = self._has[field] or any(columns[field][row] for row in kept)
        self._header.update(header)
        self._params.update(params)
        self._batches.append(BatchRows(batch, self.n_spec, len(columns["spec_id"]), tuple(sorted(excluded))))
        self.n_spec += len(kept)
        self._largest_file = max(self._largest_file, largest_file)
        self._largest_batch = max(self._largest_batch, len(columns["spec_id"]))
        self._gather(len(kept), nbytes)

    def new_rows(self, spec_ids: Sequence[str]) -> list[int]:
        """Rows of the next batch whose identifier is neither known nor repeated in it: those that `add` will keep."""
        here: set[str] = set()
        rows = []
        for row, spec_id in enumerate(spec_ids):
            if hash(spec_id) not in self._repeated:
                rows.append(row)
            elif spec_id not in self._seen and spec_id not in here:
                here.add(spec_id)
                rows.append(row)
        return rows

    def _gather(self, rows: int, nbytes: int) -> None:
        self._pending_rows += rows
        self._pending_bytes += nbytes
        self._column_bytes = max(self._column_bytes, self._pending_bytes)
        if self._pending_rows >= schema.ARRAYS_1D_CHUNK:
            self._pending_rows, self._pending_bytes = 0, nbytes

    def _reject_duplicates(self, batch: int, columns: Columns) -> set[int]:
        excluded: set[int] = set()
        for row, spec_id in enumerate(columns["spec_id"]):
            if hash(spec_id) not in self._repeated:
                continue
            *first, original = self._seen.setdefault(spec_id, (batch, row, columns["source_file"][row]))
            if first != [batch, row]:
                excluded.add(row)
                self.rejections.append(
                    Rejection(
                        code=DuplicateSpecId.code,
                        name=columns["source_file"][row],
                        hdu=columns["source_hdu"][row],
                        row=columns["source_row"][row],
                        reason=f"'{spec_id}' is already the spectrum of {original}; leave one of the two out",
                    )
                )
        return excluded

    @property
    def batches(self) -> tuple[BatchRows, ...]:
        """The batches so far, with their rows in the store."""
        return tuple(self._batches)

    @property
    def header(self) -> dict[HeaderKey, str]:
        """Names of the header fields so far."""
        return header_names(self._header)

    def finish(
        self,
        *,
        n_input_files: int,
        n_rejected: int,
        created_at: str,
        git_commit: str,
        config: str,
        catalog: CatalogPlan | None = None,
    ) -> BuildPlan:
        """The plan, without its digest.

        Parameters
        ----------
        n_input_files, n_rejected : int
            Source files, and rejected files and spectra (duplicates included).
        created_at : str
            Time stamp of the build, ``YYYY-MM-DDThh:mm:ssZ``.
        git_commit : str
            Commit of the package.
        config : str
            Configuration as JSON.
        catalog : CatalogPlan, optional
            Parameters that come from a catalogue.

        Raises
        ------
        MixedDataset
            When the spectra disagree in medium, frame or flux unit.
        ConfigError
            When the chunks asked for are tiny.
        """
        medium = self._agreements["wavelength_medium"].agreed()
        unit = self._agreements["flux_unit"].agreed()
        if not self._config.dataset.allow_mixed_frame:
            self._agreements["velocity_frame"].agreed()
        wavelength = self._wavelength.decide(medium)
        n_pix = wavelength.grid.n_pix if wavelength.grid is not None else self._wavelength.longest
        chunk = self._chunk(n_pix)
        cubes = [schema.FLUX]
        cubes += [schema.UNCERTAINTY] if self._has["has_uncertainty"] else []
        cubes += [schema.CONTINUUM] if self._has["has_continuum"] else []
        cubes += [schema.NORMALIZED, schema.NORMALIZED_UNCERTAINTY] if self._has["has_normalized"] else []
        ragged = wavelength.kind == "ragged"
        joined = catalog.params if catalog is not None else ()
        header, params = self.header, tuple(sorted({*self._params, *joined}))
        columns = len(schema.METADATA) + len(header) + len(params) + 1
        arrays = (*cubes, schema.WAVELENGTH) if ragged else tuple(cubes)
        return BuildPlan(
            n_spec=self.n_spec,
            n_pix=n_pix,
            n_input_files=n_input_files,
            n_rejected=n_rejected,
            wavelength=wavelength,
            flux_unit=unit,
            flux_unit_original=self._original_unit.dominant(),
            chunk_rows=chunk.rows,
            chunk_columns=chunk.columns,
            zarr_format=self._config.store.zarr_format,
            clevel=self._config.store.clevel,
            arrays=arrays,
            has_normalized=self._has["has_normalized"],
            batches=tuple(self._batches),
            header=tuple(header.items()),
            params=params,
            readers=tuple(sorted(self._readers.counts)),
            products=tuple(sorted(self._instruments.counts)),
            memory=promise_memory(
                chunk,
                n_pix,
                ragged_wavelength=ragged,
                largest_file=self._largest_file,
                largest_batch=self._largest_batch,
                column_bytes=self._column_bytes + (2 * catalog.nbytes if catalog is not None else 0),
            ),
            logical_bytes=self.n_spec * n_pix * (4 * (6 if self._has["has_normalized"] else 4) + 8 * ragged),
            n_files=predict_files(
                chunk,
                self.n_spec,
                n_pix,
                cubes=4 + 2 * self._has["has_normalized"] + ragged,
                filled=len(arrays),
                columns=columns,
                grids=int(not ragged),
                zarr_format=self._config.store.zarr_format,
            ),
            created_at=created_at,
            git_commit=git_commit,
            config=config,
            data_rights=self._config.dataset.data_rights,
            catalog=catalog,
        )

    def _chunk(self, n_pix: int) -> ChunkShape:
        chunk, options = spectral_chunks(self.n_spec, n_pix), self._config.store
        chosen = ChunkShape(
            min(options.chunk_rows or chunk.rows, self.n_spec), min(options.chunk_columns or chunk.columns, n_pix)
        )
        if is_tiny((self.n_spec, n_pix), (chosen.rows, chosen.columns), 4):
            shape = f"({chosen.rows}, {chosen.columns})"
            raise ConfigError(f"chunks of {shape} are tiny, which the contract forbids; enlarge them in [store]")
        return chosen


def _new_grids(columns: Columns, excluded: Collection[int]) -> Iterable[int]:
    """The first row of every grid of a batch."""
    grids = zip(*(columns[name] for name in _GRID_COLUMNS), strict=True)
    first: dict[tuple[Any, ...], int] = {}
    for row, grid in enumerate(grids):
        if row not in excluded:
            first.setdefault(grid, row)
    return first.values()


def grid_of(columns: Columns, row: int) -> Grid:
    """The grid of one staged spectrum."""
    first = columns["grid_first"][row]
    return Grid(
        scale=columns["grid_scale"][row],
        start=columns["grid_start"][row],
        step=columns["grid_step"][row],
        first=None if first is None else int(first),
        n_pix=int(columns["n_pix"][row]),
        wave_min=columns["wave_min"][row],
        wave_max=columns["wave_max"][row],
        digest=columns["grid_digest"][row],
    )
