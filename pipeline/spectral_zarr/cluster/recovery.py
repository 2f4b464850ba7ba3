"""A scan whose child process was lost, repeated until the arrays and rows that end their reader are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from spectral_zarr.cluster.isolation import ChildLost
from spectral_zarr.contract import schema
from spectral_zarr.contract.rows import Offences
from spectral_zarr.store.columns import INDEX
from spectral_zarr.tasks.scan import RowsScan, RowsTask
from spectral_zarr.tasks.scan_columns import ColumnsScan, ColumnsTask
from spectral_zarr.tasks.scan_rest import RestTask

KILLED = "Z-03/killed"
MOST_LOST = 8
"""Children that are spent on finding the rows of one array; what is left is reported as one piece."""

ScanTask = TypeVar("ScanTask", RowsTask, ColumnsTask, RestTask)
Scan = RowsScan | ColumnsScan


def recovered(function: Callable[[Any], Any], task: ScanTask) -> Any:
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
        reason = str(lost)
    paths = _paths(task)
    fatal = [path for path in paths if len(paths) == 1 or _is_lost(function, _only(task, [path]))]
    if not fatal:
        # Each can be read alone: somebody ended the child, or all together are too large for it.
        try:
            return function(task)
        except ChildLost as lost:
            reason, fatal = str(lost), paths
    parts: list[Scan] = [_searched(function, _only(task, [path]), path, reason) for path in fatal]
    rest = [path for path in paths if path not in fatal]
    return _joined([recovered(function, _only(task, rest)), *parts] if rest else parts)


def _is_lost(function: Callable[[Any], Any], task: ScanTask) -> bool:
    try:
        function(task)
    except ChildLost:
        return True
    return False


def _paths(task: ScanTask) -> list[str]:
    if isinstance(task, RowsTask):
        return [cube.path for cube in task.cubes]
    if isinstance(task, ColumnsTask):
        return [column.path for column in task.columns]
    return [*([schema.WAVELENGTH] if task.wavelength is not None else []), *([INDEX] if task.index else [])] or [INDEX]


def _only(task: ScanTask, paths: Sequence[str]) -> ScanTask:
    if isinstance(task, RowsTask):
        return replace(task, cubes=tuple(cube for cube in task.cubes if cube.path in paths))
    if isinstance(task, ColumnsTask):
        return replace(task, columns=tuple(column for column in task.columns if column.path in paths))
    return replace(
        task,
        wavelength=task.wavelength if schema.WAVELENGTH in paths else None,
        index=task.index if INDEX in paths else (),
    )


def _searched(function: Callable[[Any], Any], task: ScanTask, path: str, reason: str) -> Scan:
    """What the rows of one array give that can be read, and which ones cannot."""
    offences = Offences()
    if isinstance(task, RestTask):
        offences.note(KILLED, path, reason)
        return ColumnsScan(0, 0, offences.counted())
    if isinstance(task, ColumnsTask):
        offences.note(KILLED, path, reason, range(task.start, task.stop))
        return ColumnsScan(task.start, task.stop, offences.counted())
    length = task.cubes[0].chunks[0]
    waiting, n_lost, finite, nbytes = [(task, True)], 0, False, 0
    while waiting:
        block, known_lost = waiting.pop()
        chunk_rows = -(-block.stop // length) - block.start // length
        if not known_lost:
            try:
                scan: RowsScan = function(block)
            except ChildLost as lost:
                reason, n_lost = str(lost), n_lost + 1
            else:
                offences.merge(scan.counted)
                finite, nbytes = finite or bool(scan.finite), nbytes + scan.nbytes
                continue
        if chunk_rows == 1 or n_lost >= MOST_LOST:
            offences.note(KILLED, path, reason, range(block.start, block.stop))
            continue
        middle = (block.start // length + chunk_rows // 2) * length
        waiting += [(replace(block, start=middle), False), (replace(block, stop=middle), False)]
    return RowsScan(task.start, task.stop, offences.counted(), finite=(path,) if finite else (), nbytes=nbytes)


def _joined(scans: Sequence[Scan]) -> Scan:
    offences = Offences()
    for scan in scans:
        offences.merge(scan.counted)
    first = scans[0]
    if isinstance(first, ColumnsScan):
        return replace(first, counted=offences.counted())
    cubes = [scan for scan in scans if isinstance(scan, RowsScan)]
    return replace(
        first,
        counted=offences.counted(),
        finite=tuple(path for scan in cubes for path in scan.finite),
        nbytes=sum(scan.nbytes for scan in cubes),
    )
