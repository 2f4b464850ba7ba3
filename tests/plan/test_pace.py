"""Forecasts of an ingest, from runs whose seconds are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spectral_zarr.model.pace import PARALLEL, PHASES, IngestRun, PhaseCost
from spectral_zarr.plan.pace import efficiency, forecast, half_idle, undisturbed

ALONE = ("scan", "plan", "finalise")


def run(workers: int, parallel: float, alone: float = 1.0, start: float = 5.0) -> IngestRun:
    """A thousand files whose parallel phases together take `parallel` seconds, and the driver's `alone` seconds."""
    seconds = {"workers": start}
    seconds |= {phase: parallel / len(PARALLEL) for phase in PARALLEL}
    seconds |= {phase: alone / len(ALONE) for phase in ALONE}
    phases = tuple(PhaseCost(phase, seconds[phase], 2.0 * seconds[phase]) for phase in PHASES)
    return IngestRun(workers, 1000, 1000, 200_000_000, 40_000_000, phases, "cold", 10.0, 100, 50_000_000)


def test_a_measured_number_of_cores_takes_what_was_measured() -> None:
    runs = (run(1, 30.0, start=0.0), run(2, 20.0))
    for one in runs:
        assert forecast(runs, 1000, one.workers).seconds == pytest.approx(one.seconds)
        assert forecast(runs, 1000, one.workers).cpu_seconds == pytest.approx(one.cpu_seconds)


def test_files_multiply_all_but_the_start() -> None:
    found = forecast([run(2, 20.0)], 1_000_000, 2)
    assert found.seconds == pytest.approx(5.0 + 1000 * (1.0 + 20.0))
    assert found.cpu_seconds == pytest.approx(2 * 5.0 + 1000 * 2 * (1.0 + 20.0))
    assert found.store_bytes == pytest.approx(40e9)


def test_cores_divide_only_what_runs_side_by_side() -> None:
    found = forecast([run(1, 30.0, start=0.0), run(2, 20.0)], 1000, 40, 0.0)
    # 100 tasks that stage, 10 that fill and 10 that check.
    assert found.n_tasks == 120
    assert found.seconds == pytest.approx(5.0 + 1.0 + 20.0 / 20)
    assert any("40 cores are 20 times as fast as 2" in assumption for assumption in found.assumptions)


def test_the_pace_that_workers_keep() -> None:
    runs = (run(1, 30.0), run(2, 20.0), run(4, 7.5))
    assert [efficiency(runs, one) for one in runs] == pytest.approx([1.0, 0.75, 1.0])


def test_more_workers_than_cores_are_no_measure_for_fewer() -> None:
    runs = (run(1, 30.0, start=0.0), run(4, 5.0))
    assert forecast(runs, 1000, 3, 0.0).seconds == pytest.approx(1.0 + 30.0 / 3)
    assert forecast(runs[1:], 1000, 1).seconds == pytest.approx(5.0 + 1.0 + 20.0), "there is no other"


def test_the_rate_of_the_scheduler_bounds_many_cores() -> None:
    runs = [run(1, 30.0, alone=0.0, start=0.0)]
    found = forecast(runs, 1_000_000, 100, 0.01)
    assert (found.n_tasks, found.limit) == (120_000, "scheduler")
    assert found.seconds == pytest.approx(120_000 * 0.01)
    assert forecast(runs, 1_000_000, 10, 0.01).limit == "cores"
    assert forecast(runs, 1_000_000, 10, 0.01).seconds == pytest.approx(3000.0)


def test_too_few_tasks_leave_cores_idle() -> None:
    runs = [run(1, 30.0, alone=0.0, start=0.0)]
    found = forecast(runs, 1000, 119, 0.0)
    assert (found.n_tasks, found.limit) == (120, "tasks")
    assert found.seconds == pytest.approx(2 * 30.0 / 120), "one task is left for a second round"
    assert forecast(runs, 1000, 120, 0.0).limit == "cores"
    assert forecast(runs, 1000, 10_000, 0.0).seconds == pytest.approx(30.0 / 120), "no less than one task takes"


def test_the_driver_alone_bounds_what_cores_can_do() -> None:
    found = forecast([run(1, 99.0, alone=1.0, start=0.0)], 1_000_000, 1000, 0.0)
    assert found.limit == "driver"
    assert found.alone_seconds == pytest.approx(1000.0)
    assert found.seconds == pytest.approx(1000.0 + 99.0)


def test_the_file_system_must_move_sources_staging_and_store() -> None:
    found = forecast([run(1, 30.0, alone=0.0, start=0.0)], 1_000_000, 10, 0.0)
    assert found.bytes_per_second == pytest.approx(1000 * (200e6 + 2 * 50e6 + 2 * 40e6) / 3000.0)


def test_cores_from_which_on_half_of_them_are_idle() -> None:
    # With p cores, 99 / p + 1 seconds: half of the time is lost from 99 cores on.
    assert half_idle([run(1, 99.0, alone=1.0, start=0.0)], 1_000_000, 0.0) == 128
    # 120 tasks are sent in a hundredth of the time that they take.
    assert half_idle([run(1, 30.0, alone=0.0, start=0.0)], 1_000_000, 0.0025) == 256


def test_on_a_shared_machine_seconds_of_computing_count() -> None:
    # Twice as many seconds of computing as elapsed ones, which two workers do side by side.
    found = undisturbed(run(2, 20.0, alone=3.0, start=5.0))
    assert forecast([found], 1000, 2).seconds == pytest.approx(2 * 20.0 / 2 + 2 * 3.0 + 2 * 5.0)
    assert found.cpu_seconds == run(2, 20.0, alone=3.0, start=5.0).cpu_seconds


def test_what_the_driver_does_for_the_fewest_files_does_not_grow_with_them() -> None:
    one = replace(run(1, 30.0, alone=4.0, start=0.0), fixed=PhaseCost("fixed", 3.0, 5.0))
    found = forecast([one], 100_000, 1)
    assert found.alone_seconds == pytest.approx(3.0 + 100 * 1.0)
    assert found.cpu_seconds == pytest.approx(5.0 + 100 * (2 * 34.0 - 5.0))
    assert forecast([one], 1000, 1).seconds == pytest.approx(34.0)
    assert forecast([undisturbed(one)], 1000, 1).alone_seconds == pytest.approx(8.0)
