"""Which chunk layouts are worth a trial, what the trials need, and which layout to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from spectral_zarr.contract import schema
from spectral_zarr.contract.chunks import (
    COLUMNS_HIGH_RESOLUTION,
    HIGH_RESOLUTION_PIXELS,
    HUGE_BYTES,
    ROWS,
    ROWS_HIGH_RESOLUTION,
    is_tiny,
    spectral_chunks,
)
from spectral_zarr.model.trial import ACCESSES, Cost, Layout, Recommendation, Trial

SOURCE_BYTES = 512 << 20
"""Pixels that are tried by default: more than caches of a processor hold, and some seconds of compression."""

N_ARRAYS = 2
"""Flux and uncertainty."""

ROW_CHUNK_BYTES = 16 << 20
"""Size of chunks that hold whole rows of very long spectra."""

FEWEST_ROWS = 16
INNER_CHUNKS = 8
"""Inner chunks along the rows of a shard."""

SLACK_BYTES = 16 << 20
"""Documents, and what file systems add to each file."""

TIE = 1.25
"""Layouts within this factor of each other are equal: on a shared machine the same reads were seen to differ by it."""


def trial_rows(n_spec: int, n_pix: int) -> int:
    """Rows to try: as many as `SOURCE_BYTES` hold, at least two row blocks, at most all."""
    enough = max(fewest_rows(n_spec, n_pix), SOURCE_BYTES // (4 * N_ARRAYS * n_pix))
    return min(n_spec, enough)


def fewest_rows(n_spec: int, n_pix: int) -> int:
    """Rows below which a trial says nothing: two row blocks of the recommended layout, or all."""
    return min(n_spec, 2 * spectral_chunks(n_spec, n_pix).rows)


def disk_bytes(n_rows: int, n_pix: int, layouts: Sequence[Layout]) -> int:
    """Bytes that the trials need at most at one time: the source, and one layout if nothing could be compressed."""
    largest = 0
    for layout in layouts:
        rows, columns = layout.outer
        # Blosc stores what it cannot compress and adds a header; chunks at the edges are stored whole.
        padded = -(-n_rows // rows) * rows * -(-n_pix // columns) * columns
        largest = max(largest, 4 * N_ARRAYS * padded)
    return 4 * N_ARRAYS * n_rows * n_pix + largest + largest // 100 + SLACK_BYTES


def candidate_layouts(n_spec: int, n_pix: int, n_rows: int) -> tuple[Layout, ...]:
    """Layouts to try, the recommendation of the contract first and then in the order of preference.

    Parameters
    ----------
    n_spec, n_pix : int
        Shape of the store.
    n_rows : int
        Rows that are tried; layouts with fewer than two row blocks in them are left out, except the recommended.
    """
    chunk = spectral_chunks(n_spec, n_pix)
    recommended = Layout(chunk.rows, chunk.columns)
    layouts = [recommended]
    if n_pix < HIGH_RESOLUTION_PIXELS:
        layouts += [Layout(ROWS_HIGH_RESOLUTION, min(COLUMNS_HIGH_RESOLUTION, n_pix))]
        inner = chunk.rows // INNER_CHUNKS
        shards = [Layout(inner, n_pix, inner * INNER_CHUNKS, n_pix)] if inner else []
    else:
        layouts += [Layout(_whole_rows(n_pix), n_pix), Layout(ROWS, n_pix)]
        shards = [Layout(chunk.rows, chunk.columns, chunk.rows, -(-n_pix // chunk.columns) * chunk.columns)]
    layouts += [replace(recommended, clevel=clevel) for clevel in schema.CLEVELS if clevel != schema.CLEVEL]
    layouts += [replace(recommended, zarr_format=2), *shards]
    wanted = [one for one in layouts if one == recommended or _is_worth_it(one, n_pix, n_rows)]
    return tuple(dict.fromkeys(wanted))


def _whole_rows(n_pix: int) -> int:
    # Bitshuffle transposes groups of eight elements.
    return max(FEWEST_ROWS, ROW_CHUNK_BYTES // (4 * n_pix) // 8 * 8)


def _is_worth_it(layout: Layout, n_pix: int, n_rows: int) -> bool:
    rows, columns = layout.outer
    if not layout.sharded and is_tiny((n_rows, n_pix), (rows, columns), 4):
        return False
    same_rows = rows == spectral_chunks(n_rows, n_pix).rows
    return 4 * rows * columns <= HUGE_BYTES and (2 * rows <= n_rows or same_rows)


def recommend(trials: Sequence[Trial], access: str) -> Recommendation:
    """The layout to take for an access.

    Parameters
    ----------
    trials : sequence of Trial
        In the order of preference; the first is the recommendation of the contract.
    access : str
        One of `ACCESSES`.

    Returns
    -------
    Recommendation
        Of the layouts that an ingest writes (shards it does not), the first whose best round is within 25 % of the
        best round of the fastest, or no slower than its median round.
    """
    ours = [trial for trial in trials if not trial.layout.sharded]
    fastest = min(ours, key=lambda trial: trial.best(access))
    equal = max(TIE * fastest.best(access), fastest.median(access))
    chosen = next(trial for trial in ours if trial.best(access) <= equal)
    time = f"{chosen.best(access):.3g} ms a spectrum"
    among = f"of the {len(ours)} layouts that ingest writes"
    if chosen is fastest:
        reason = f"{among} it is the fastest for this access, {time}"
    else:
        reason = f"{among} {fastest.layout.label} is fastest, and this one equal within the scatter or 25 %, {time}"
    if chosen is trials[0]:
        reason += "; the contract recommends it"
    respects = {name: {trial.layout: trial.best(name) for trial in trials} for name in ACCESSES if name != access}
    respects["bytes on disk"] = {trial.layout: 1 / trial.ratio for trial in trials}
    respects["files"] = {trial.layout: float(trial.receipts[0].n_files) for trial in trials}
    costs = []
    for respect, values in respects.items():
        best = min(values, key=lambda layout: values[layout])
        costs.append(Cost(respect, values[chosen.layout] / values[best], best))
    return Recommendation(chosen.layout, access, reason, tuple(costs), _config(chosen.layout, trials[0].layout))


def _config(layout: Layout, default: Layout) -> str:
    lines = []
    if (layout.rows, layout.columns) != (default.rows, default.columns):
        lines += [f"chunk_rows = {layout.rows}", f"chunk_columns = {layout.columns}"]
    if layout.clevel != default.clevel:
        lines.append(f"clevel = {layout.clevel}")
    if layout.zarr_format != default.zarr_format:
        lines.append(f"zarr_format = {layout.zarr_format}")
    return "\n".join(["[store]", *lines]) if lines else ""
