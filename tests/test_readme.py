"""The README does what it says: its blocks run in order, and its tables name what the code has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectral_zarr import errors
from spectral_zarr.readers import readers
from spectral_zarr.readers.products.unsupported import Unsupported
from spectral_zarr.testing import write_samples

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SET_UP = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/spectral-zarr demo"
TESTS = ".venv/bin/pip install '.[dev]' && .venv/bin/python -m pytest"


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    text: str

    @property
    def file(self) -> str:
        """Name of the file that the block is, '' for one to run."""
        named = re.match(r"# (\S+\.(?:py|toml))\n", self.text)
        return named.group(1) if named else ""


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]


def write_lamp(path: Path) -> None:
    image = fits.PrimaryHDU(np.linspace(100, 200, 128, dtype=">f4"))
    image.header.update({"INSTRUME": "LAMP", "LAMPID": path.stem, "CRVAL1": 500.0, "CDELT1": 0.1})
    image.writeto(path)


def write_table(path: Path, flux: float) -> None:
    columns = {"lam": np.linspace(400, 500, 128), "f_lam": np.full(128, flux), "e_f_lam": np.full(128, flux / 50)}
    Table(columns).write(path, format="fits")


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """The directories that the README speaks of, and the command in PATH."""
    write_samples(tmp_path / "my-spectra", "sdss-spec", 6)
    for name in ("lamps", "tables", "bin", "lamp_reader-1.dist-info"):
        (tmp_path / name).mkdir()
    fibers = [fits.getval(path, "FIBERID") for path in sorted((tmp_path / "my-spectra").iterdir())]
    lines = [f"{fiber},{5000 + number},50,0" for number, fiber in enumerate(dict.fromkeys(fibers))]
    (tmp_path / "stars.csv").write_text("\n".join(["fiber,teff,teff_err,flag_sp", *lines]))
    for number in range(3):
        write_lamp(tmp_path / "lamps" / f"lamp{number}.fits")
        write_table(tmp_path / "tables" / f"table{number}.fits", 1e-15 * (number + 1))
    (tmp_path / "lamp_reader-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: lamp_reader\nVersion: 1\n"
    )
    command = tmp_path / "bin" / "spectral-zarr"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from spectral_zarr.cli import main; main()" "$@"\n')
    command.chmod(0o755)
    return tmp_path


def announce(workplace: Path, text: str) -> None:
    """Install the entry points of a pyproject.toml, as pip would."""
    groups = tomllib.loads(text)["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in found.items())
        for group, found in groups.items()
    ]
    (workplace / "lamp_reader-1.dist-info" / "entry_points.txt").write_text("".join(lines))


def test_every_block_runs_in_order(workplace: Path) -> None:
    environment = os.environ | {
        "PATH": f"{workplace / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{workplace}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    ran = []
    for block in BLOCKS:
        if block.file:
            (workplace / block.file).write_text(block.text)
            if block.file == "pyproject.toml":
                announce(workplace, block.text)
        elif block.language in ("bash", "python") and "pip install" not in block.text:
            program = ["bash", "-euo", "pipefail", "-c"] if block.language == "bash" else [sys.executable, "-c"]
            done = subprocess.run(
                [*program, block.text], cwd=workplace, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
            assert "Warning" not in done.stderr
            ran.append(done.stdout)
    assert len(ran) == 12
    assert "lamp spectra of our laboratory" in ran[-1]
    for store in ("my-stars", "parts", "labelled", "mike", "lamps"):
        assert (workplace / f"{store}.zarr" / "index.parquet").exists()
    tests = [block.file for block in BLOCKS if block.file.startswith("test_")]
    assert tests
    inherited = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    assert subprocess.run(inherited, cwd=workplace, env=environment, capture_output=True).returncode == 0


def test_the_set_up_lines_are_exact_and_the_extra_exists() -> None:
    shell = [block.text.strip() for block in BLOCKS if block.language == "bash"]
    assert shell[:2] == [SET_UP, TESTS]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert any(requirement.startswith("pytest") for requirement in project["optional-dependencies"]["dev"])
    assert project["scripts"]["spectral-zarr"] == "spectral_zarr.cli:main"


def test_every_language_is_one_that_is_run_or_shown() -> None:
    assert {block.language for block in BLOCKS} == {"bash", "python", "toml", "text"}


def test_every_reader_is_named() -> None:
    names = {reader.name for reader in readers()} - {Unsupported.name}
    assert {name for name in names if f"`{name}`" not in README} == set()


def test_the_table_of_products_has_every_reader() -> None:
    table = (ROOT / "pipeline" / "spectral_zarr" / "readers" / "README.md").read_text()
    rows = {
        name for line in table.splitlines() if line.startswith("| `") for name in re.findall("`([^`]+)`", line[:60])
    }
    assert {reader.name for reader in readers() if not reader.name.startswith("unsupported")} <= rows


def test_every_rejection_code_and_exit_code_is_explained() -> None:
    codes = {found.code for found in errors.SourceError.__subclasses__()}
    assert {code for code in codes if f"`{code}`" not in README} == set()
    exits = {
        found.exit_code for found in vars(errors).values() if isinstance(found, type) and hasattr(found, "exit_code")
    }
    assert {code for code in exits if f"\n| {code} |" not in README} == set()


def test_the_files_it_points_to_exist() -> None:
    assert all((ROOT / target).exists() for target in re.findall(r"\]\((?!http)([^)]+)\)", README))


def test_the_ci_runs_the_test_line_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "grep -F -- '-m pytest' README.md" in script
    assert sum("-m pytest" in line for line in README.splitlines()) == 1


def test_the_floors_of_the_ci_are_those_of_the_project() -> None:
    command = [sys.executable, ROOT / ".ci" / "floors", ROOT / "pyproject.toml"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    }
    assert {line.replace("==", ">=") for line in printed} == declared
    assert '.ci/floors pyproject.toml > "$work/floors.txt"' in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    "script",
    [".ci/run", "slurm/array.sh", "slurm/driver.pbs", *(f"slurm/{n}.sbatch" for n in ("ingest", "driver", "array"))],
)
def test_scripts_parse_and_can_be_executed(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True)


@pytest.mark.parametrize("script", ["ingest", "driver"])
def test_a_job_script_says_how_it_is_used_and_where(script: str, workplace: Path) -> None:
    environment = os.environ | {"SPECTRAL_ZARR": str(workplace / "bin" / "spectral-zarr")}
    command = [ROOT / "slurm" / f"{script}.sbatch"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("usage: sbatch")) == (2, True)
    if script == "ingest":
        outside = subprocess.run(
            [*command, "my-spectra", "job.zarr"], cwd=workplace, env=environment, capture_output=True, text=True
        )
        assert (outside.returncode, "inside of a job" in outside.stderr) == (2, True)
