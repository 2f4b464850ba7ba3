"""Making a store worse on purpose, and reading from a verdict what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zarr

from spectral_zarr import Verdict
from spectral_zarr.contract import Severity

from .builds import built

FLUX, UNCERTAINTY, OBJECT = "signal/flux_raw", "signal/uncertainty_raw", "metadata/object"
BLANK = 3
"""A row of zeros in every spoiled store: it shows that the rest of the store is still checked."""

Fault = Callable[[Path], None]


def spoiled(directory: Path) -> Path:
    """A store whose only fault is one blank row; its documents are not consolidated."""
    store = built(directory)
    zarr.open_group(str(store), mode="r+", use_consolidated=False)[FLUX][BLANK] = 0
    root = json.loads((store / "zarr.json").read_text())
    del root["consolidated_metadata"]
    (store / "zarr.json").write_text(json.dumps(root))
    return store


def errors(verdict: Verdict) -> set[tuple[str, str]]:
    return {(f.rule, f.where) for f in verdict.findings if f.severity is Severity.ERROR}


def message(verdict: Verdict, rule: str, where: str) -> str:
    (found,) = [f.message for f in verdict.findings if (f.rule, f.where) == (rule, where)]
    return found


def edit(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_text())
    document.update(changes)
    path.write_text(json.dumps(document))


def chunk_of(store: Path, array: str) -> Path:
    return next(path for path in (store / array).iterdir() if path.name.startswith("c."))


def zarr_json(array: str, **changes: Any) -> Fault:
    return lambda store: edit(store / array / "zarr.json", **changes)


def text(name: str, content: str | bytes) -> Fault:
    payload = content if isinstance(content, bytes) else content.encode()

    def fault(store: Path) -> None:
        (store / name).write_bytes(payload)

    return fault


def instead(name: str, make: Fault) -> Fault:
    """A fault that puts something else in the place of a file."""

    def fault(store: Path) -> None:
        (store / name).unlink()
        make(store / name)

    return fault


def grid(*lengths: Any) -> dict[str, Any]:
    return {"name": "regular", "configuration": {"chunk_shape": list(lengths)}}
