"""The two kinds of task that leave proof on disk: staging a batch, and filling a row block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from spectral_zarr.cluster.alone import fill_alone, seconds_for, stage_alone
from spectral_zarr.cluster.executor import DRAIN_SECONDS, Retry, TaskKind
from spectral_zarr.config import Config
from spectral_zarr.model import Batch, BlockReceipt, BlockTask, StageReceipt
from spectral_zarr.tasks.fill import fill_block
from spectral_zarr.tasks.stage import deadly_batches, stage_batch

TASK_MINUTES = 10.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a build waits for its tasks; no part of the plan, so that it may change with ``--resume``.

    Attributes
    ----------
    task_minutes : float
        Time that any task may take before its worker is given up; more is allowed for many bytes and files.
    drain_seconds : float
        Time that running tasks are given to finish after a signal.
    """

    task_minutes: float = TASK_MINUTES
    drain_seconds: float = DRAIN_SECONDS


def stage_kind(
    target: str, config: Config, patience: Patience, told: Callable[[Retry], None], note: Callable[[str], None]
) -> TaskKind[Batch, StageReceipt]:
    """Staging the batches of one build."""
    least = 60 * patience.task_minutes
    deadly = deadly_batches(target)
    return TaskKind(
        run=partial(stage_batch, target, config=config),
        alone=partial(stage_alone, target, config=config, least_seconds=least),
        seconds=partial(seconds_for, least=least),
        is_suspect=lambda batch: batch.index in deadly,
        told=told,
        note=note,
        drain_seconds=patience.drain_seconds,
    )


def fill_kind(
    target: str, patience: Patience, told: Callable[[Retry], None], note: Callable[[str], None]
) -> TaskKind[BlockTask, BlockReceipt]:
    """Filling the row blocks of one build."""
    seconds = 60 * patience.task_minutes
    return TaskKind(
        run=partial(fill_block, target),
        alone=partial(fill_alone, target, seconds=seconds),
        seconds=lambda task: seconds,
        told=told,
        note=note,
        drain_seconds=patience.drain_seconds,
    )
