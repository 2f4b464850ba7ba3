"""The directory of one run on a cluster: keys that only the owner can read, and the logs of workers."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from spectral_zarr.errors import EnvironmentFault
from spectral_zarr.store.fsops import translated

KEY_FILES = {"ca-file": "ca.pem", "cert": "certificate.pem", "key": "key.pem"}
TOKEN = "token"


class RunDirectory:
    """Made for one run, and emptied of all secrets at its end.

    Parameters
    ----------
    path : Path
        Directory on a file system that all nodes see.
    keep : bool
        Whether the directory stays, for the logs in it.
    """

    def __init__(self, path: Path, *, keep: bool = True) -> None:
        self.path = path
        self._keep = keep

    @property
    def key_files(self) -> dict[str, Path]:
        """Option of ``dask worker`` to file."""
        return {option: self.path / name for option, name in KEY_FILES.items()}

    @property
    def token_file(self) -> Path:
        """A file that only this run has, by which a worker knows the directory."""
        return self.path / TOKEN

    def make(self) -> str:
        """Make the directory for its owner alone, remove what a killed run left, and write a token.

        Raises
        ------
        EnvironmentFault
            When it belongs to somebody else, or cannot be closed to others.
        """
        with translated(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.is_symlink() or self.path.stat().st_uid != os.getuid():
                raise EnvironmentFault(
                    "the run directory belongs to somebody else; name another one", path=str(self.path)
                )
            self.path.chmod(0o700)
            if self.path.stat().st_mode & 0o077:
                message = "the file system does not keep others out of the run directory; name another --run-directory"
                raise EnvironmentFault(message, path=str(self.path))
            self._remove_secrets()
            token = secrets.token_hex()
            self._write(self.token_file, token)
        return token

    def make_keys(self) -> Any:
        """Make a certificate and a key for this run alone.

        Returns
        -------
        distributed.Security
            For scheduler, workers and driver, with the paths of the files.
        """
        from distributed.security import Security

        made = Security.temporary()
        files = self.key_files
        contents = {"ca-file": made.tls_ca_file, "cert": made.tls_scheduler_cert, "key": made.tls_scheduler_key}
        with translated(self.path):
            for option, text in contents.items():
                self._write(files[option], str(text))
        pairs = {
            f"tls_{role}_{part}": str(files[part])
            for role in ("scheduler", "worker", "client")
            for part in ("cert", "key")
        }
        return Security(tls_ca_file=str(files["ca-file"]), require_encryption=True, **pairs)

    def close(self) -> None:
        """Remove the secrets, and all else unless it is kept."""
        self._remove_secrets()
        if not self._keep:
            shutil.rmtree(self.path, ignore_errors=True)

    def _remove_secrets(self) -> None:
        for path in (*self.key_files.values(), self.token_file):
            path.unlink(missing_ok=True)

    def _write(self, path: Path, text: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, text.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
