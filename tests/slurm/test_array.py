"""Job arrays on a real Slurm: no Dask scheduler, and a part that fails runs again alone."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest, load_config
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.testing import store_digest, write_samples

from .testbed import COMMAND, SLURM, Slurm, wait_until

pytestmark = pytest.mark.slurm

LIMITS = "--time=10 --mem-per-cpu=1000M"
N_FILES, N_BATCHES, N_BLOCKS = 150, 10, 3
CONFIG = "[build]\nbatch_files = 16\n[store]\nchunk_rows = 64\n"

PAUSING = """#!{python}
# The command, which waits for a signal in the middle of part 2/3 of a phase, the first time.
import os, signal, sys
from pathlib import Path
from spectral_zarr.cli import main
from spectral_zarr.testing.faults import Step, hooked

def pause(step):
    if step in (Step.STAGED, Step.FILLED) and not Path("{marker}").exists():
        Path("{marker}").touch()
        signal.pause()

if "2/3" in sys.argv and sys.argv[1] == os.environ["PAUSES_IN"]:
    with hooked(pause):
        main()
main()
"""


class Arrays:
    """A build in job arrays of three parts, in a directory of its own."""

    def __init__(self, slurm: Slurm, directory: Path) -> None:
        self.slurm, self.directory = slurm, directory
        self.target = directory / "x.zarr"
        write_samples(directory / "files", "wcs1d", N_FILES, n_pix=4096)
        (directory / "c.toml").write_text(CONFIG)
        self.command, self.paused = directory / "pausing", directory / "paused"
        self.command.write_text(PAUSING.format(python=COMMAND.with_name("python"), marker=self.paused))
        self.command.chmod(0o755)

    def submit(self, *words: str, **variables: str) -> dict[str, str]:
        """Submit the arrays; the id of the job of each phase."""
        given = [f"{name}={text}" for name, text in {"PARTS": "3", "JOB_OPTIONS": LIMITS, **variables}.items()]
        said = self.slurm.output("env", *given, SLURM / "array.sh", *words, cwd=self.directory)
        return dict(line.split() for line in said.splitlines())

    def submit_pausing(self, phase: str) -> dict[str, str]:
        """Submit the arrays, and wait until part 2 of a phase pauses."""
        variables = {"SPECTRAL_ZARR": str(self.command), "PAUSES_IN": phase}
        jobs = self.submit("files", "x.zarr", "--config", "c.toml", **variables)
        wait_until(self.paused.exists, 180, "a part to pause")
        return jobs

    def again(self, phase: str, part: int, *words: str) -> str:
        """Run one part again, alone."""
        script = SLURM / "array.sbatch"
        return self.slurm.submit(*LIMITS.split(), f"--array={part}", script, phase, "3", *words, cwd=self.directory)

    def said(self) -> str:
        """What all jobs have said."""
        return "\n".join(path.read_text() for path in sorted(self.directory.glob("*.log")))

    def serial(self) -> str:
        """Digest of the store that a serial ingest gives."""
        target = str(self.directory / "serial.zarr")
        request = IngestRequest((str(self.directory / "files"),), target, load_config(self.directory / "c.toml"))
        ingest(request, SerialExecutor())
        return store_digest(Path(target))

    def runs(self, event: str) -> dict[int, set[tuple[int, float]]]:
        """By which runs each batch was staged, or each block filled, whenever somebody looked at it."""
        found: dict[int, set[tuple[int, float]]] = defaultdict(set)
        for path in BuildPaths.of(self.target).log.glob("*.jsonl"):
            for line in map(json.loads, path.read_text().splitlines()):
                if line["event"] == event:
                    found[line.get("batch", line.get("block"))].add((line["pid"], line["start"]))
        return found

    def assert_published(self) -> None:
        assert store_digest(self.target) == self.serial()
        for event, count in (("staged", N_BATCHES), ("filled", N_BLOCKS)):
            runs = self.runs(event)
            assert sorted(runs) == list(range(count))
            assert {len(once) for once in runs.values()} == {1}, "what had proof was done again"


@pytest.fixture
def arrays(slurm: Slurm, tmp_path: Path) -> Arrays:
    return Arrays(slurm, tmp_path)


def test_four_phases_in_job_arrays_publish_the_serial_store(arrays: Arrays) -> None:
    jobs = arrays.submit("files", "x.zarr", "--config", "c.toml")
    assert list(jobs) == ["stage", "plan", "fill", "finalise"]
    ended = arrays.slurm.wait(jobs["finalise"], 180)
    assert (ended["JobState"], ended["ExitCode"]) == ("COMPLETED", "0:0"), arrays.said()
    arrays.assert_published()


@pytest.mark.sweep
@pytest.mark.parametrize("phase", ["stage", "fill"])
def test_a_part_that_was_cancelled_runs_again_alone_and_then_what_depends_on_it(arrays: Arrays, phase: str) -> None:
    jobs = arrays.submit_pausing(phase)
    arrays.slurm.output("scancel", f"{jobs[phase]}_2")
    assert arrays.slurm.wait(jobs["finalise"])["JobState"] == "CANCELLED"
    assert not os.path.lexists(arrays.target)
    words = ("files", "x.zarr", "--config", "c.toml") if phase == "stage" else ("x.zarr",)
    again = arrays.again(phase, 2, *words)
    following = {"stage": "plan", "fill": "finalise"}[phase]
    jobs = arrays.submit("x.zarr", FROM=following, AFTER=again)
    ended = arrays.slurm.wait(jobs["finalise"], 180)
    assert (ended["JobState"], ended["ExitCode"]) == ("COMPLETED", "0:0"), arrays.said()
    arrays.assert_published()


@pytest.mark.sweep
def test_the_signal_before_the_time_is_up_ends_a_part_with_75(arrays: Arrays) -> None:
    jobs = arrays.submit_pausing("stage")
    arrays.slurm.output("scancel", "--batch", "--signal=TERM", f"{jobs['stage']}_2")
    ended = arrays.slurm.wait(f"{jobs['stage']}_2")
    assert (ended["JobState"], ended["ExitCode"]) == ("FAILED", "75:0"), arrays.said()
    assert arrays.slurm.wait(jobs["finalise"])["JobState"] == "CANCELLED"
    again = arrays.again("stage", 2, "files", "x.zarr", "--config", "c.toml")
    jobs = arrays.submit("x.zarr", FROM="plan", AFTER=again)
    assert arrays.slurm.wait(jobs["finalise"], 180)["JobState"] == "COMPLETED", arrays.said()
    arrays.assert_published()


@pytest.mark.sweep
@pytest.mark.parametrize("phase", ["stage", "fill"])
def test_a_part_that_slurm_requeues_continues_and_what_depends_on_it_waits(arrays: Arrays, phase: str) -> None:
    jobs = arrays.submit_pausing(phase)
    part = f"{jobs[phase]}_2"
    arrays.slurm.output("scontrol", "requeue", part)
    arrays.slurm.run_again(part)
    ended = arrays.slurm.wait(jobs["finalise"], 180)
    assert (ended["JobState"], ended["ExitCode"]) == ("COMPLETED", "0:0"), arrays.said()
    assert arrays.slurm.facts(part)["Restarts"] == "1"
    arrays.assert_published()
