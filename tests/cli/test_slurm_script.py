"""The printed batch script asks for what the plan needs; the scripts of the repository are the same text."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from spectral_zarr import IngestRequest, SerialExecutor, ingest, load_config
from spectral_zarr.cli import run
from spectral_zarr.cluster.script import SHIPPED, Form, batch_script
from spectral_zarr.config import SiteProfile
from spectral_zarr.testing import write_samples
from spectral_zarr.testing.faults import Step, dies_at

SLURM = Path(__file__).parents[2] / "slurm"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write_samples(tmp_path / "my files", "wcs1d", 12, n_pix=64)
    (tmp_path / "c.toml").write_text("[build]\nbatch_files = 4\n")
    return tmp_path / "my files"


def printed(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert run(["slurm-script", *map(str, words), "--quiet"]) == 0
    text = capsys.readouterr().out
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    return text


def asked(script: str) -> dict[str, str]:
    return dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.MULTILINE))


@pytest.mark.parametrize(("form", "name"), [("srun", "ingest.sbatch"), ("slurm", "driver.sbatch")])
def test_the_scripts_of_the_repository_are_those_that_the_code_writes(form: Form, name: str) -> None:
    assert (SLURM / name).read_text() == batch_script(form, SHIPPED[form])


def test_a_survey_tells_workers_memory_and_time(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text("partition = 'p'\naccount = 'a'\ndirectives = ['--exclusive']\n")
    options = ["--config", tmp_path / "c.toml", "--profile", tmp_path / "site.toml", "--max-rejected", "2%"]
    script = printed(capsys, files, tmp_path / "x.zarr", *options)
    assert "12 files, 12 rows: 3 tasks to stage, 1 row blocks to fill" in script
    found = asked(script)
    assert (found["ntasks"], found["partition"], found["account"]) == ("4", "p", "a")
    assert int(found["mem-per-cpu"].removesuffix("M")) >= 1024
    assert found["time"] == "00:10:00"
    assert "#SBATCH --exclusive\n" in script
    command = next(line for line in script.splitlines() if " ingest " in line and line.endswith("&"))
    assert f"'{files}' {tmp_path / 'x.zarr'} --config {tmp_path / 'c.toml'}" in command
    assert command.endswith("--max-rejected 2% --cluster srun --resume &")
    assert not list(tmp_path.glob("x.zarr*"))


def test_a_sample_is_extrapolated(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = printed(capsys, files, tmp_path / "x.zarr", "--config", tmp_path / "c.toml", "--limit", "6")
    assert "12 files, 12 rows: 3 tasks to stage" in script


def test_the_plan_of_an_interrupted_build_is_taken(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = IngestRequest((str(files),), str(tmp_path / "x.zarr"), load_config(tmp_path / "c.toml"))
    with pytest.raises(Exception, match="interrupted"), dies_at(Step.PLANNED, with_signal=2):
        ingest(request, SerialExecutor())
    for file in files.iterdir():
        file.unlink()
    script = printed(capsys, files, tmp_path / "x.zarr", "--workers", "7")
    assert "12 files, 12 rows: 3 tasks to stage, 1 row blocks to fill" in script
    assert asked(script)["ntasks"] == "8"


def test_a_profile_of_pbs_gets_no_script_of_slurm(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text('scheduler = "pbs"\npartition = "workq"\n')
    words = ["slurm-script", str(files), str(tmp_path / "x.zarr"), "--profile", str(tmp_path / "site.toml")]
    assert run(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "submit slurm/driver.pbs instead" in " ".join(said.err.split())


def test_worker_jobs_get_what_the_profile_says_and_too_little_is_pointed_out(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text("memory = '100MiB'\n")
    script = printed(
        capsys, files, tmp_path / "x.zarr", "--cluster", "slurm", "--profile", tmp_path / "site.toml", "--limit", "2"
    )
    assert asked(script)["ntasks"] == "1"
    assert f"Workers get what the profile says: 100MiB each, and --workers {SiteProfile().workers}" in script
    assert re.search(r'less than they need: set memory = "\d+MiB"', script)
