"""What the options about a cluster say: where workers are asked for, and what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spectral_zarr.errors import UsageError

if TYPE_CHECKING:
    from spectral_zarr.cluster.launch import Launch


def asked_launch(
    cluster: str,
    target: str,
    profile: Path | None,
    run_directory: Path | None,
    *,
    insecure: bool,
    dashboard: bool,
    dry_run: bool,
) -> Launch | None:
    """The launch of ``slurm`` and ``srun``; None for other clusters.

    Raises
    ------
    UsageError
        When options of a launch are given and nothing is launched.
    """
    from spectral_zarr.cluster.open import LAUNCHED

    if cluster not in LAUNCHED:
        if profile or run_directory or insecure or dashboard:
            raise UsageError("--profile, --run-directory, --dashboard and --insecure need --cluster slurm or srun")
        return None
    from spectral_zarr.cluster.launch import Launch
    from spectral_zarr.config import load_profile
    from spectral_zarr.store.paths import BuildPaths

    paths = BuildPaths.of(target)
    # A plan that is only printed leaves nothing behind.
    usual = paths.target.with_name(f".{paths.target.name}.run") if dry_run else paths.run
    return Launch(
        profile=load_profile(profile),
        target=str(paths.target),
        directory=(run_directory or usual).absolute(),
        insecure=insecure,
        dashboard=dashboard,
        keep=not dry_run,
    )
