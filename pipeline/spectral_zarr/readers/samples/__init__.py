"""Layout-faithful synthetic files of the survey products that are read, for the demo, the tests and the benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from spectral_zarr.readers.samples import apogee, aspcap, eso_vlt, harps, linear, sdss, spectropolarimetry, uves
from spectral_zarr.readers.samples.draw import Draw, Sample

__all__ = ["PRODUCTS", "Draw", "Sample", "Writer", "write_samples"]

Writer: TypeAlias = Callable[[Draw], Sample]

PRODUCTS: Mapping[str, Writer] = MappingProxyType(
    {
        "sdss-spec": sdss.write_spec,
        "harps-adp": harps.write_adp,
        "uves-adp": uves.write_adp,
        "xshooter-adp": eso_vlt.write_xshooter,
        "espresso-adp": eso_vlt.write_espresso,
        "feros-adp": eso_vlt.write_feros,
        "nirps-adp": eso_vlt.write_nirps,
        "apstar": apogee.write_apstar,
        "aspcapstar": aspcap.write_aspcapstar,
        "harps-s1d": harps.write_s1d,
        "uves-pipeline": uves.write_pipeline,
        "espadons": spectropolarimetry.write_espadons,
        "narval": spectropolarimetry.write_narval,
        "elodie": linear.write_elodie,
        "wcs1d": linear.write_wcs1d,
        "generic-table": linear.write_table,
    }
)


def write_samples(directory: Path, product: str, count: int, *, seed: int = 0, n_pix: int | None = None) -> list[Path]:
    """Write synthetic files of one product.

    Parameters
    ----------
    directory
        Where to write; it is made if it is missing, and files of the same name are replaced.
    product
        One of the names in `PRODUCTS`.
    count
        How many files. File `i` depends on the product, the seed and `n_pix` only.
    seed
        Not negative; another seed gives other stars.
    n_pix
        Shortens the spectra to this number of pixels, at least 64; files of ragged products have up to 5 % fewer.
        Spectra are never longer than usual, except of the plain products `wcs1d` and `generic-table`. The APOGEE
        products have one fixed grid and ignore it.

    Returns
    -------
    list of Path
        The files, in order.

    Raises
    ------
    ValueError
        If the product is not known, or a number is out of its range.
    """
    if product not in PRODUCTS:
        raise ValueError(f"no sample writer for product {product!r}; choose one of {', '.join(PRODUCTS)}")
    if count < 0 or seed < 0:
        raise ValueError(f"count and seed must not be negative, got {count} and {seed}")
    if n_pix is not None and n_pix < 64:
        raise ValueError(f"n_pix must be at least 64, got {n_pix}")
    directory.mkdir(parents=True, exist_ok=True)
    writer = PRODUCTS[product]
    paths = []
    for index in range(count):
        sample = writer(Draw.of(product, seed, index, n_pix))
        path = directory / sample.name
        path.write_bytes(b"".join(sample.parts))
        paths.append(path)
    return paths
