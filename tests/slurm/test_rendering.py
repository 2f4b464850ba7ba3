"""What the batch system is told for a worker job, in every style that sites want; nothing is submitted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spectral_zarr.cluster.jobs import job_cluster
from spectral_zarr.cluster.launch import Launch
from spectral_zarr.cluster.rundir import RunDirectory
from spectral_zarr.config import SiteProfile

SITE = SiteProfile(
    interface="lo", partition="p", account="a", memory="2GiB", cores=2, directives=("--qos=long",), walltime="02:00:00"
)


def rendered(tmp_path: Path, site: SiteProfile) -> str:
    """The script of a worker job."""
    launch = Launch(site, str(tmp_path / "my stars.zarr"), tmp_path / "run directory")
    run = RunDirectory(launch.directory)
    run.make()
    cluster, _ = job_cluster(launch, run, run.make_keys())
    try:
        script = str(cluster.job_script())
    finally:
        cluster.close()
        run.close()
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    return script


@pytest.mark.parametrize(
    ("style", "option"), [("mem", "#SBATCH --mem=2253M"), ("mem-per-cpu", "#SBATCH --mem-per-cpu=1127M"), ("none", "")]
)
def test_memory_is_asked_for_as_the_site_wants(style: str, option: str, tmp_path: Path) -> None:
    script = rendered(tmp_path, replace(SITE, memory_style=style))
    asked = [line for line in script.splitlines() if "--mem" in line and line.startswith("#")]
    assert asked == ([option] if option else [])
    assert "--memory-limit 2147483648" in script


def test_a_worker_job_of_slurm(tmp_path: Path) -> None:
    script = rendered(tmp_path, replace(SITE, prologue=("module load python",), python="/opt/my python"))
    for line in ("-p p", "-A a", "--cpus-per-task=2", "-t 02:00:00", "--no-requeue", "--qos=long"):
        assert f"#SBATCH {line}\n" in script
    assert f"#SBATCH --output='{tmp_path}/run directory'/worker-%j.log\n" in script
    assert "\nmodule load python\n" in script
    assert "exec '/opt/my python' -m distributed.cli.dask_worker tls://127.0.0.1:" in script
    assert f"--tls-key '{tmp_path}/run directory/key.pem'" in script
    assert "#SBATCH -t" not in rendered(tmp_path, replace(SITE, walltime=""))


def test_a_worker_job_of_pbs(tmp_path: Path) -> None:
    script = rendered(tmp_path, replace(SITE, scheduler="pbs", directives=("-W group_list=x",)))
    for line in ("-q p", "-A a", "-l select=1:ncpus=2:mem=2253mb", "-l walltime=02:00:00", "-r n", "-W group_list=x"):
        assert f"#PBS {line}\n" in script
    assert "dask_worker tls://127.0.0.1:" in script


@pytest.mark.parametrize(("walltime", "said"), [("10", "00:10:00"), ("1-12", "36:00:00"), ("02:00:05", "02:00:05")])
def test_pbs_is_told_the_time_limit_in_its_own_words(walltime: str, said: str, tmp_path: Path) -> None:
    script = rendered(tmp_path, replace(SITE, scheduler="pbs", walltime=walltime, lead_seconds=60))
    assert f"#PBS -l walltime={said}\n" in script


def test_ctrl_c_keeps_its_meaning_where_jobs_are_submitted() -> None:
    program = "import signal; import spectral_zarr.cluster.jobs; print(signal.getsignal(signal.SIGINT).__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "default_int_handler\n", done.stderr
