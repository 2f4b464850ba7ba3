"""Every failure is one line with a code and its exit code; a bug is called one."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spectral_zarr import errors
from spectral_zarr.cli import main
from spectral_zarr.cli.failures import report
from spectral_zarr.testing import write_samples
from spectral_zarr.testing.faults import CallFault, faulty
from tests.cli.conftest import Run

PROGRAM = [sys.executable, "-c", "from spectral_zarr.cli import main; main()"]


def every_error(
    root: type[errors.SpectralZarrError] = errors.SpectralZarrError,
) -> list[type[errors.SpectralZarrError]]:
    """All classes of the tree."""
    return [root, *(found for child in root.__subclasses__() for found in every_error(child))]


class TestReport:
    @pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.code)
    def test_place_code_and_remedy_are_in_one_line(
        self, kind: type[errors.SpectralZarrError], capsys: pytest.CaptureFixture[str]
    ) -> None:
        code = report(kind("mend it", path="a/b.fits", hdu=2, row=7))
        assert code == kind.exit_code
        assert capsys.readouterr().err == f"error {kind.code}: a/b.fits[2] row 7: mend it\n"

    @pytest.mark.parametrize(
        ("error", "code", "words"),
        [
            (OSError(errno.EACCES, "Permission denied", "x.zarr"), 6, "error environment: x.zarr: Permission denied"),
            (OSError(errno.ENOSPC, "No space left on device", "y"), 6, "error disk-full: y: "),
            (MemoryError(), 6, "error environment: the memory is used up"),
            (KeyboardInterrupt(), 75, "error interrupted: "),
        ],
    )
    def test_what_the_machine_does(
        self, error: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert report(error) == code
        assert capsys.readouterr().err.startswith(words)

    def test_a_bug_is_called_one_without_a_traceback(
        self, run: Run, spectra: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("spectral_zarr.cluster.ingest", lambda *_: {}["odd"])
        result = run("ingest", spectra, "out.zarr", "--cluster", "serial")
        assert result.code == 70
        assert result.error.startswith("error bug: KeyError: 'odd'")
        assert "SPECTRAL_ZARR_DEBUG=1" in result.error

    def test_the_variable_shows_the_traceback(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("SPECTRAL_ZARR_DEBUG", "1")
        try:
            raise ValueError("\x1b[31m")
        except ValueError as error:
            assert report(error) == 70
        shown = capsys.readouterr().err
        assert "Traceback (most recent call last)" in shown
        assert "\x1b" not in shown

    def test_a_directory_that_cannot_be_written(self, run: Run, spectra: Path) -> None:
        with faulty(CallFault(at=1, error=errno.EACCES, only=("mkdir",))):
            result = run("ingest", spectra, "out.zarr", "--cluster", "serial")
        assert result.code == 6
        assert "Permission denied" in result.error


class TestProgram:
    def test_help_imports_nothing_heavy(self) -> None:
        script = (
            "import sys; from spectral_zarr.cli import run; run(['--help']);"
            "sys.exit(','.join({'numpy', 'zarr', 'dask', 'pyarrow', 'astropy', 'msgspec'} & set(sys.modules)) or 0)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        for command in ("demo", "inspect", "ingest", "validate", "status", "abort", "readers"):
            assert f" {command} " in done.stdout

    def test_without_arguments_it_helps(self, run: Run) -> None:
        assert "Usage: spectral-zarr" in run().out

    def test_the_version(self, run: Run) -> None:
        result = run("--version")
        assert result.code == 0
        assert result.out.startswith("spectral-zarr 0")

    def test_an_unknown_command(self, run: Run) -> None:
        result = run("digest")
        assert result.code == 2
        assert "digest" in result.error

    def test_a_reader_of_the_output_that_leaves_early(self) -> None:
        pipe = subprocess.Popen([*PROGRAM, "validate", "--rules"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert pipe.stdout is not None
        pipe.stdout.close()
        assert pipe.stderr is not None
        shown = pipe.stderr.read()
        pipe.wait(60)
        assert b"Traceback" not in shown
        assert b"bug" not in shown

    def test_an_encoding_without_the_symbols(self, published: Path) -> None:
        done = subprocess.run(
            [*PROGRAM, "readers"], capture_output=True, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
        )
        assert done.returncode == 0
        assert done.stdout.isascii()

    def test_main_exits_with_the_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["spectral-zarr", "validate"])
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, before)
        assert ended.value.code == 2


class TestSignals:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_an_ingest_with_code_75_and_resume_finishes_it(
        self, number: signal.Signals, tmp_path: Path
    ) -> None:
        write_samples(tmp_path / "files", "sdss-spec", 600)
        (tmp_path / "c.toml").write_text("[build]\nbatch_files = 50\n")
        command = [*PROGRAM, "ingest", "files", "out.zarr", "--config", "c.toml", "--cluster", "serial"]
        running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert running.stderr is not None
        shown = ""
        # The second line comes after a first batch is staged, with eleven more to go.
        while shown.count("stage:") < 2:
            shown += running.stderr.readline()
        running.send_signal(number)
        _, rest = running.communicate(timeout=120)
        assert running.returncode == 75
        assert "error interrupted: " in rest
        assert "Traceback" not in rest
        assert not (tmp_path / "out.zarr").exists()
        again = subprocess.run([*command, "--resume"], cwd=tmp_path, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr

    def test_a_signal_before_anything_began(self, tmp_path: Path) -> None:
        import os

        os.mkfifo(tmp_path / "list.txt")
        command = [*PROGRAM, "ingest", "@list.txt", "out.zarr", "--cluster", "serial"]
        running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        # Opening for writing returns when the command has opened the other end, so it is past its imports.
        with (tmp_path / "list.txt").open("w"):
            running.send_signal(signal.SIGTERM)
            _, shown = running.communicate(timeout=60)
        assert running.returncode == 75
        assert "error interrupted: " in shown
        assert not (tmp_path / "out.zarr.build").exists()


def test_help_is_quick() -> None:
    began = time.perf_counter()
    subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
    # Ten times what it takes, so that a busy machine does not fail it and an import of everything does.
    assert time.perf_counter() - began < 2.5
