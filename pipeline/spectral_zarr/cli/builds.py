"""``spectral-zarr abort``: giving a build up."""

from __future__ import annotations

from spectral_zarr.cli import options, report


def abort(target: options.Target) -> None:
    """Give an interrupted ingest up and remove what it left; a published store is never touched."""
    from spectral_zarr.cluster.provenance import package_version
    from spectral_zarr.cluster.slurm import claim_in_job
    from spectral_zarr.store.abort import abort_build
    from spectral_zarr.store.paths import BuildPaths
    from spectral_zarr.store.request import request_facts

    paths = BuildPaths.of(target)
    if abort_build(paths, claim_in_job(request_facts((), None, package_version()))):
        report.heading("removed", f"{paths.tmp.name} and {paths.build.name}", "the sources are untouched")
    elif paths.target.exists():
        # What lies beside a published store is the record of its build and not a build to give up.
        report.heading("nothing to do", target, "it is published", style="green")
    else:
        report.heading("nothing to do", target, "nothing is being built there")
