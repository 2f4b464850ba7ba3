"""``spectral-zarr readers``: the products that are understood."""

from __future__ import annotations

from spectral_zarr.cli import options, report
from spectral_zarr.cli.terminal import print_json, results

GENERIC_PRIORITY = 100
REFUSING_READER = "unsupported"


def readers(as_json: options.Json = False) -> None:
    """List the products that are understood, and those that are recognised and refused."""
    from spectral_zarr.readers import readers as known_readers
    from spectral_zarr.readers.products.unsupported import PRODUCTS

    understood = [reader for reader in known_readers() if reader.name != REFUSING_READER]
    refused = list(dict.fromkeys(name for name, _ in PRODUCTS))
    kinds = {reader.name: "generic" if reader.priority >= GENERIC_PRIORITY else "product" for reader in understood}
    if as_json:
        print_json(
            {
                "readers": [
                    {"name": one.name, "version": one.version, "kind": kinds[one.name], "title": one.title}
                    for one in understood
                ],
                "refused": refused,
            }
        )
        return
    made = report.table("reader", "version", "kind", "understands", right=("version",), keep=("reader", "kind"))
    for one in understood:
        report.row(made, one.name, one.version, kinds[one.name], one.title)
    results().print()
    results().print(made)
    results().print()
    report.facts([("refused", f"recognised, without a reader in this version: {', '.join(refused)}")])
    results().print()
