"""A scan whose child process was lost, repeated array by array until the ones that end their reader are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from spectral_zarr.cluster.isolation import ChildLost
from spectral_zarr.contract import schema
from spectral_zarr.contract.rows import Offences
from spectral_zarr.store.columns import INDEX
from spectral_zarr.tasks.scan import RowsScan, RowsTask
from spectral_zarr.tasks.scan_columns import ColumnsScan, ColumnsTask, RestTask


def recovered(function: Callable[[Any], Any], task: RowsTask | ColumnsTask | RestTask) -> Any:
    """Run a scan; when its child is lost, report the arrays that end it and keep what the others give.

    Parameters
    ----------
    function : callable
        Runs the task, in a child process where it may be lost.
    task : RowsTask, ColumnsTask or RestTask
        Rows of several arrays, or what is not cut into rows.

    Returns
    -------
    RowsScan or ColumnsScan
    """
    try:
        return function(task)
    except ChildLost as lost:
        parts = _parts(task)
        if len(parts) == 1:
            return _lost(task, str(lost))
    return _joined([recovered(function, part) for part in parts])


def _parts(task: RowsTask | ColumnsTask | RestTask) -> list[Any]:
    if isinstance(task, RowsTask):
        return [replace(task, cubes=(cube,)) for cube in task.cubes]
    if isinstance(task, ColumnsTask):
        return [replace(task, columns=(column,)) for column in task.columns]
    parts = [replace(task, index=()), replace(task, wavelength=None, proof="")]
    return [part for part in parts if part != task] if task.index and task.wavelength is not None else [task]


def _lost(task: RowsTask | ColumnsTask | RestTask, reason: str) -> RowsScan | ColumnsScan:
    offences = Offences()
    if isinstance(task, RowsTask):
        offences.note("Z-03/killed", task.cubes[0].path, reason, [task.start])
        return RowsScan(task.start, task.stop, offences.counted())
    if isinstance(task, ColumnsTask):
        offences.note("Z-03/killed", task.columns[0].path, reason, [task.start])
        return ColumnsScan(task.start, task.stop, offences.counted())
    offences.note("Z-03/killed", INDEX if task.index else schema.WAVELENGTH, reason)
    return ColumnsScan(0, 0, offences.counted())


def _joined(scans: list[Any]) -> RowsScan | ColumnsScan:
    offences = Offences()
    for scan in scans:
        offences.merge(scan.counted)
    first: RowsScan | ColumnsScan = replace(scans[0], counted=offences.counted())
    if isinstance(first, ColumnsScan):
        longest = max((scan.identifiers for scan in scans), key=len)
        return replace(first, identifiers=longest, from_fits=any(scan.from_fits for scan in scans))
    return replace(
        first,
        finite=tuple(name for scan in scans for name in scan.finite),
        continuum=_either([scan.continuum for scan in scans]),
        no_continuum=_either([scan.no_continuum for scan in scans]),
        garbage=_either([scan.garbage for scan in scans]),
        centres=max((scan.centres for scan in scans), key=len),
        grids=tuple(grid for scan in scans for grid in scan.grids),
        one_grid=any(scan.one_grid for scan in scans),
        nbytes=sum(scan.nbytes for scan in scans),
    )


def _either(bits: list[bytes]) -> bytes:
    length = max(map(len, bits))
    joined = np.bitwise_or.reduce([np.frombuffer(one.ljust(length, b"\0"), np.uint8) for one in bits])
    return bytes(joined)
