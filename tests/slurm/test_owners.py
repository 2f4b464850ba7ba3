"""Whether the owner of a build on another node still lives is what Slurm says of its job, and unknown is no 'no'."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest
from spectral_zarr.cluster.slurm import job_lives, own_job
from spectral_zarr.errors import Interrupted, StagingBusy
from spectral_zarr.store.abort import abort_build
from spectral_zarr.store.claim import Claim, current_claim, own_claim, record
from spectral_zarr.store.paths import BuildPaths
from spectral_zarr.testing import write_samples
from spectral_zarr.testing.faults import Step, dies_at

from .testbed import Slurm, wait_until

pytestmark = pytest.mark.slurm


def sleeping(slurm: Slurm, where: Path) -> str:
    job = slurm.submit("--requeue", "--wrap", "exec sleep 600", "--output=/dev/null", cwd=where)
    wait_until(lambda: slurm.state(job) == "RUNNING", what="a running job")
    return job


def requeue(slurm: Slurm, job: str) -> None:
    slurm.output("scontrol", "requeue", job)
    wait_until(lambda: slurm.state(job) == "PENDING", what="a requeued job")


def controller_goes_away(patch: pytest.MonkeyPatch, where: Path) -> None:
    patch.setenv("SLURM_CONF", str(where / "slurm.conf"))
    patch.setattr("spectral_zarr.cluster.slurm.ANSWER_SECONDS", 1.0)


def test_a_job_lives_until_it_has_ended_or_is_requeued(slurm: Slurm, tmp_path: Path) -> None:
    job = sleeping(slurm, tmp_path)
    assert job_lives(job, 0) is True
    requeue(slurm, job)
    assert job_lives(job, 0) is False
    slurm.run_again(job)
    wait_until(lambda: slurm.state(job) == "RUNNING", what="the second run")
    assert (job_lives(job, 0), job_lives(job, 1)) == (False, True)
    slurm.output("scancel", job)
    slurm.wait(job)
    assert job_lives(job, 1) is False
    assert job_lives("999999", 0) is False


def test_a_controller_that_does_not_answer_says_nothing(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = sleeping(slurm, tmp_path)
    controller_goes_away(monkeypatch, tmp_path)
    assert job_lives(job, 0) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert job_lives(job, 0) is None


def test_a_requeued_job_knows_that_its_first_run_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    assert (own_job().id, own_job().restarts) == ("77", 0)
    assert job_lives("77", 0) is True
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    assert (job_lives("77", 1), job_lives("77", 2)) == (False, True)


@pytest.fixture
def owned(slurm: Slurm, tmp_path: Path) -> tuple[IngestRequest, str]:
    """A build whose driver ran in a job, on another node, and died with its work half done."""
    write_samples(tmp_path / "files", "wcs1d", 4, n_pix=64)
    request = IngestRequest((str(tmp_path / "files"),), str(tmp_path / "x.zarr"))
    with pytest.raises(Interrupted), dies_at(Step.STAGED, with_signal=signal.SIGINT):
        ingest(request, SerialExecutor())
    paths = BuildPaths.of(request.target)
    job = sleeping(slurm, tmp_path)
    record(paths, replace(claim_of(paths), host="another-node", state="building", job=job))
    return replace(request, resume=True), job


def claim_of(paths: BuildPaths) -> Claim:
    claim = current_claim(paths)
    assert claim is not None
    return claim


def test_a_build_is_taken_over_on_another_node_when_the_job_of_its_owner_has_ended(
    owned: tuple[IngestRequest, str], slurm: Slurm
) -> None:
    request, job = owned
    with pytest.raises(StagingBusy, match=f"another-node, job {job}"):
        ingest(request, SerialExecutor())
    requeue(slurm, job)
    assert Path(ingest(request, SerialExecutor()).target).is_dir()


def test_nobody_takes_a_build_over_whose_owner_cannot_be_asked_for(
    owned: tuple[IngestRequest, str], slurm: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, job = owned
    paths = BuildPaths.of(request.target)
    slurm.output("scancel", job)
    slurm.wait(job)
    with monkeypatch.context() as patch, pytest.raises(StagingBusy):
        controller_goes_away(patch, paths.target.parent)
        ingest(request, SerialExecutor())
    record(paths, replace(claim_of(paths), job=""))
    with pytest.raises(StagingBusy):
        ingest(request, SerialExecutor())
    record(paths, replace(claim_of(paths), job=job))
    assert abort_build(paths, own_claim(claim_of(paths).request))
