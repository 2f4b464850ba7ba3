"""Ingest a directory through the public interface of spectral-zarr in a fresh interpreter."""

from __future__ import annotations

import argparse

from spectral_zarr.cluster.workers import become_worker


def main() -> None:
    """Run the command line."""
    # As the command does, before the libraries are imported.
    become_worker()
    from spectral_zarr import IngestRequest, ingest, open_executor

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--cluster", default="serial")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()
    with open_executor(options.cluster, options.workers) as executor:
        ingest(IngestRequest((options.source,), options.target, limit=options.limit), executor)


if __name__ == "__main__":
    # Workers are spawned and import this module again.
    main()
