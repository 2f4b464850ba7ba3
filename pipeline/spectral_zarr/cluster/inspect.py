"""A survey of source files without writing: products, grids, missing fields and rejections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from spectral_zarr.cluster.executor import Executor
from spectral_zarr.cluster.observer import Observer, SilentObserver
from spectral_zarr.config import Config
from spectral_zarr.model import Batch, Rejection, SourceFiles
from spectral_zarr.plan.planner import PLAN_COLUMNS
from spectral_zarr.tasks.planning import gather_surveyed
from spectral_zarr.tasks.rows import PARAM_PREFIX
from spectral_zarr.tasks.sources import make_batches
from spectral_zarr.tasks.stage import Survey, survey_batch

GROUP_KEYS = ("reader", "instrument", "flux_unit", "wavelength_medium", "velocity_frame")
"""Columns that spectra of one product have in common; the last three must agree within a store."""

WANTED_TEXT = {"date": "date_obs", "Gaia id": "gaia_id", "object": "object"}
WANTED_NUMBERS = {"SNR": "snr", "position": "ra", "exposure time": "exptime", "resolving power": "resolving_power"}

_COLUMNS = tuple(dict.fromkeys((*PLAN_COLUMNS, "source_companions", *WANTED_TEXT.values(), *WANTED_NUMBERS.values())))


@dataclass(frozen=True, slots=True)
class ProductGroup:
    """The spectra of one reader, instrument, flux unit, medium and frame.

    Attributes
    ----------
    n_pix : tuple of int
        Shortest and longest spectrum.
    wavelength : tuple of float
        Shortest and longest wavelength in Angstrom.
    kind : {'identical', 'lattice', 'ragged'}
        How one store would keep the wavelengths.
    store_pixels, store_bytes : int
        Pixels per row of one store, and its bytes before compression.
    missing : mapping of str to float
        Share of the spectra that lack a field, without those that no spectrum lacks.
    params : tuple of str
        Stellar parameters that some spectrum has.
    files : tuple of str
        Paths of the source files.
    """

    reader: str
    instrument: str
    flux_unit: str
    medium: str
    frame: str
    n_spectra: int
    n_pix: tuple[int, int]
    wavelength: tuple[float, float]
    kind: str
    store_pixels: int
    store_bytes: int
    missing: dict[str, float]
    params: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is in the source files: the largest group first, and everything that an ingest would reject."""

    n_files: int
    source_bytes: int
    groups: tuple[ProductGroup, ...]
    rejections: tuple[Rejection, ...]


def inspect_files(
    files: SourceFiles, config: Config, executor: Executor, observer: Observer | None = None
) -> Inspection:
    """Parse all files, and sort their spectra into products.

    Parameters
    ----------
    files : SourceFiles
        What `scan_sources` found.
    config : Config
        Options of the readers.
    executor : Executor
        Runs the tasks.
    observer : Observer, optional
        Is told about the progress.
    """
    observer = observer or SilentObserver()
    batches = make_batches(files, config.build)
    observer.begin("survey", files.n_files, "files")
    surveys: dict[int, Survey] = {}
    for survey in executor.map(partial(survey_slim, config=config), batches):
        surveys[survey.batch] = survey
        observer.advance(batches[survey.batch].n_files)
    observer.end()
    rejections = [rejection for batch in batches for rejection in surveys[batch.index].rejections]
    paths = {one.name: one.path for file in files for one in (file, *file.companions)}
    groups = []
    for key, members in _split(surveys).items():
        group, refused = _group(key, members, batches, paths, config)
        groups.append(group)
        rejections += refused
    groups.sort(key=lambda group: (-group.n_spectra, group.reader, group.instrument))
    return Inspection(files.n_files, files.nbytes, tuple(groups), tuple(rejections))


def survey_slim(batch: Batch, config: Config) -> Survey:
    """Parse a batch and keep only what an inspection reports, so that the driver can hold millions of rows."""
    survey = survey_batch(batch, config)
    kept = [name for name in survey.columns.column_names if name in _COLUMNS or name.startswith(PARAM_PREFIX)]
    return Survey(survey.batch, survey.columns.select(kept), survey.rejections)


def _split(surveys: dict[int, Survey]) -> dict[tuple[str, ...], dict[int, Survey]]:
    found: dict[tuple[str, ...], dict[int, Survey]] = {}
    for number in sorted(surveys):
        table = surveys[number].columns
        rows: dict[tuple[str, ...], list[int]] = {}
        for row, key in enumerate(zip(*(table[name].to_pylist() for name in GROUP_KEYS), strict=True)):
            rows.setdefault(key, []).append(row)
        for key, indices in rows.items():
            part = Survey(number, table.take(pa.array(indices)), ())
            found.setdefault(key, {})[number] = part
    return found


def _group(
    key: tuple[str, ...],
    members: dict[int, Survey],
    batches: Sequence[Batch],
    paths: dict[str, str],
    config: Config,
) -> tuple[ProductGroup, list[Rejection]]:
    planner = gather_surveyed(members, [batches[number] for number in members], config)
    plan = planner.finish(n_input_files=0, n_rejected=0, created_at="", git_commit="", config="")
    columns = pa.concat_tables([survey.columns for survey in members.values()], promote_options="permissive")
    pixels, low, high = (columns[name].to_numpy() for name in ("n_pix", "wave_min", "wave_max"))
    reader, instrument, unit, medium, frame = key
    group = ProductGroup(
        reader=reader,
        instrument=instrument,
        flux_unit=unit,
        medium=medium,
        frame=frame,
        n_spectra=columns.num_rows,
        n_pix=(int(pixels.min()), int(pixels.max())),
        wavelength=(float(low.min()), float(high.max())),
        kind=plan.wavelength.kind,
        store_pixels=plan.n_pix,
        store_bytes=plan.logical_bytes,
        missing=dict(_missing(columns)),
        params=plan.params,
        files=tuple(dict.fromkeys(paths[name] for name in _source_names(columns))),
    )
    return group, planner.rejections


def _source_names(columns: pa.Table) -> Iterable[str]:
    pairs = zip(columns["source_file"].to_pylist(), columns["source_companions"].to_pylist(), strict=True)
    for name, companions in pairs:
        yield name
        yield from filter(None, companions.split("|"))


def _missing(columns: pa.Table) -> Iterable[tuple[str, float]]:
    shares: dict[str, Any] = {"uncertainty": ~columns["has_uncertainty"].to_numpy(zero_copy_only=False)}
    for label, name in WANTED_NUMBERS.items():
        shares[label] = np.isnan(columns[name].to_numpy())
    for label, name in WANTED_TEXT.items():
        shares[label] = [value == "" for value in columns[name].to_pylist()]
    for label, lacking in shares.items():
        if share := float(np.mean(lacking)):
            yield label, share
