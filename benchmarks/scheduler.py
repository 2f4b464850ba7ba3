"""What the driver and the Dask scheduler cost for millions of files, with tasks that do nothing but return a receipt.

Every step of the driver is the real one: listing (of directories that exist in memory only), the request, batches,
tasks through the executor, the log, planning from staged columns, row blocks. The work is measured on real files.
"""

from __future__ import annotations

import argparse
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

import idle_tasks
from spectral_zarr.cluster.executor import Executor, SerialExecutor, TaskKind
from spectral_zarr.cluster.journal import Journal
from spectral_zarr.cluster.local import local_executor
from spectral_zarr.cluster.pace import PaceRequest, measure_pace
from spectral_zarr.config import Config
from spectral_zarr.model import Batch, BlockTask, BuildPlan, SourceFiles, StageReceipt
from spectral_zarr.model.pace import PARALLEL
from spectral_zarr.plan import Planner
from spectral_zarr.plan.planner import repeated_hashes
from spectral_zarr.readers.samples import write_samples
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.store.records import freeze_plan
from spectral_zarr.store.request import request_facts
from spectral_zarr.store.staging import read_columns
from spectral_zarr.tasks import sources
from spectral_zarr.tasks.placement import batches_of
from spectral_zarr.tasks.planning import add_table
from spectral_zarr.tasks.stage import batch_facts, stage_batch

PRODUCT = "sdss-spec"
PER_DIRECTORY = 1000
TEMPLATE_FILES = 64
REJECTED_SHARE = 0.001


@dataclass
class Costs:
    """CPU seconds, elapsed seconds and peak memory of this process, by step."""

    steps: dict[str, dict[str, float]] = field(default_factory=dict)
    faked: float = 0.0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step; what it took to make things up is left out."""
        # The high-water mark of this step alone.
        Path("/proc/self/clear_refs").write_text("5")
        self.faked, wall, cpu = 0.0, time.perf_counter(), time.process_time()
        yield
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        memory = int(peak.split()[1]) * 1024
        self.steps[name] = {"cpu_seconds": cpu - self.faked, "seconds": wall - self.faked, "peak_bytes": memory}

    @contextmanager
    def fake(self) -> Iterator[None]:
        """Leave the block out."""
        began = time.process_time()
        yield
        self.faked += time.process_time() - began


@contextmanager
def directories(root: Path, n_files: int, nbytes: int) -> Iterator[None]:
    """Let `root` seem to hold directories with files."""
    real = sources._entries, sources.status_of

    def entries(path: str, wanted: Any) -> tuple[set[str], dict[str, Any]]:
        if path == str(root):
            return set(), {f"{number:06d}": wanted for number in range(-(-n_files // PER_DIRECTORY))}
        first = int(path[-6:]) * PER_DIRECTORY
        numbers = range(first, min(first + PER_DIRECTORY, n_files))
        return {f"spec-{path[-6:]}-59205-{number:010d}.fits" for number in numbers}, {}

    def status_of(path: str) -> os.stat_result:
        return os.stat_result((stat.S_IFREG | 0o644, int(path[-15:-5]), 1, 1, 0, 0, nbytes, 0, 0, 0))

    sources._entries, sources.status_of = entries, status_of
    try:
        yield
    finally:
        sources._entries, sources.status_of = real


def template(directory: Path) -> tuple[pa.Table, int]:
    """Staged columns of a few real files, and bytes per file."""
    files = write_samples(directory / "files", PRODUCT, TEMPLATE_FILES)
    listed = sources.scan_sources([str(directory / "files")])
    paths = BuildPaths.of(directory / "template.zarr")
    paths.staged.mkdir(parents=True)
    receipt = stage_batch(str(paths.target), Batch(0, listed), Config())
    return read_columns(paths.staged / receipt.columns.name), sum(path.stat().st_size for path in files) // len(files)


def work_per_file(directory: Path, n_files: int) -> float:
    """CPU seconds that the tasks of a real ingest take for a file."""
    write_samples(directory / "work", PRODUCT, n_files)
    (run,) = measure_pace(PaceRequest((str(directory / "work"),), str(directory), (1,)))
    return sum(cost.cpu_seconds for cost in run.phases if cost.phase in PARALLEL) / n_files


def staged_columns(table: pa.Table, rows: int, first: int) -> pa.Table:
    """Columns of a batch: the template again and again, with names and identifiers of its own."""
    long = pa.concat_tables([table] * -(-rows // table.num_rows)).slice(0, rows).combine_chunks()
    for column in ("spec_id", "source_file"):
        names = pa.array([f"spec-{number:010d}.fits" for number in range(first, first + rows)], table[column].type)
        long = long.set_column(long.column_names.index(column), column, names)
    return long


def run(n_files: int, workers: int, costs: Costs, directory: Path) -> tuple[int, int]:
    """Run all steps of a build of `n_files`; the numbers of stage and fill tasks."""
    columns, nbytes = template(directory)
    config = Config()
    root = directory / "sources"
    root.mkdir()
    with directories(root, n_files, nbytes), costs.step("list"):
        files = sources.scan_sources([str(root)])
    with costs.step("request"):
        request_facts(files, config, "")
    with costs.step("batches"):
        batches, facts = cut(files, config)
    del files
    paths = BuildPaths.of(directory / "x.zarr")
    paths.build.mkdir()
    journal = Journal.of_attempt(paths, 1)
    with local_executor(workers) if workers else SerialExecutor() as executor:
        with costs.step("stage tasks"):
            receipts = stage(executor, batches, journal)
        with costs.step("plan"):
            plan = planned(receipts, columns, config, costs)
        with costs.step("fill tasks"):
            fill(executor, plan, journal)
    assert sum(fact.n_files for fact in facts) == n_files
    return len(batches), plan.n_blocks


def cut(files: SourceFiles, config: Config) -> tuple[tuple[Batch, ...], list[Any]]:
    """Batches and what the plan must know of them."""
    batches = sources.make_batches(files, config.build)
    return batches, [batch_facts(batch, config) for batch in batches]


def stage(executor: Executor, batches: tuple[Batch, ...], journal: Journal) -> list[StageReceipt]:
    """Send all batches."""
    task = partial(idle_tasks.stage, rejected_share=REJECTED_SHARE)
    receipts = {}
    for receipt in executor.map(TaskKind(task, task, idle_tasks.seconds), batches):
        receipts[receipt.batch] = receipt
        journal.staged(receipt, len(batches))
    return [receipts[batch.index] for batch in batches]


def planned(receipts: list[StageReceipt], columns: pa.Table, config: Config, costs: Costs) -> BuildPlan:
    """Plan from columns that look like staged ones."""

    def tables() -> Iterator[pa.Table]:
        first = 0
        for receipt in receipts:
            with costs.fake():
                table = staged_columns(columns, receipt.n_spectra, first)
            yield table
            first += receipt.n_spectra

    planner = Planner(config, _no_values, repeated_hashes(table["spec_id"].to_pylist() for table in tables()))
    for receipt, table in zip(receipts, tables(), strict=True):
        add_table(planner, receipt.batch, table, None, nbytes=table.nbytes, largest_file=1)
    n_files = sum(receipt.n_files for receipt in receipts)
    n_rejected = sum(len(receipt.rejections) for receipt in receipts)
    return freeze_plan(
        planner.finish(n_input_files=n_files, n_rejected=n_rejected, created_at="", git_commit="", config="{}")
    )


def _no_values(batch: int, row: int) -> Any:
    raise LookupError("sdss-spec has no explicit grids")


def fill(executor: Executor, plan: BuildPlan, journal: Journal) -> None:
    """Send all row blocks."""
    tasks = [BlockTask(block, plan.sha256, batches_of(plan, plan.block_rows(block))) for block in range(plan.n_blocks)]
    n_columns = -(-plan.n_pix // plan.chunk_columns)
    task = partial(idle_tasks.fill, arrays=plan.arrays, n_columns=n_columns)
    for receipt in executor.map(TaskKind(task, task, idle_tasks.seconds), tasks):
        journal.filled(receipt, plan.n_blocks, len(plan.block_rows(receipt.block)))


def report(n_files: int, tasks: tuple[int, int], work: float, costs: Costs) -> dict[str, Any]:
    """All figures."""
    cpu = sum(step["cpu_seconds"] for step in costs.steps.values())
    sent = [costs.steps[f"{phase} tasks"] for phase in ("stage", "fill")]
    return {
        "n_files": n_files,
        "stage_tasks": tasks[0],
        "fill_tasks": tasks[1],
        "work_seconds_per_file": work,
        "driver_cpu_seconds": cpu,
        "share_of_work": cpu / (work * n_files),
        "task_cpu_ms": 1e3 * sum(step["cpu_seconds"] for step in sent) / sum(tasks),
        "tasks_per_second": sum(tasks) / sum(step["seconds"] for step in sent),
        "peak_bytes": max(step["peak_bytes"] for step in costs.steps.values()),
        "steps": costs.steps,
    }


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2, help="0 for no Dask at all")
    parser.add_argument("--work-files", type=int, default=400, help="real files to measure the work on")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    costs = Costs()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        tasks = run(options.files, options.workers, costs, directory)
        found = report(options.files, tasks, work_per_file(directory, options.work_files), costs)
    print(f"{options.files:,} files, {tasks[0]:,} stage tasks, {tasks[1]:,} fill tasks\n")
    print("| step | cpu s | wall s | µs cpu a file | peak MB |\n|---|---:|---:|---:|---:|")
    for name, step in costs.steps.items():
        cells = (step["cpu_seconds"], step["seconds"], 1e6 * step["cpu_seconds"] / options.files)
        print(f"| {name} | {' | '.join(f'{cell:.3g}' for cell in cells)} | {step['peak_bytes'] / 1e6:.0f} |")
    print(f"\na task: {found['task_cpu_ms']:.2f} ms cpu, {found['tasks_per_second']:.0f} a second")
    print(f"work: {1e3 * found['work_seconds_per_file']:.2f} ms cpu a file")
    print(f"driver and scheduler: {found['share_of_work']:.2%} of the work, {found['peak_bytes'] / 1e6:.0f} MB")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
