"""The test kit: faithful sample files, comparisons of stores and inheritable tests, for us and for other pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spectral_zarr.readers.samples import PRODUCTS, write_samples
from spectral_zarr.testing.compare import differing_files, store_digest

if TYPE_CHECKING:
    from spectral_zarr.testing.contract_tests import ContractTests
    from spectral_zarr.testing.reader_tests import ReaderTests

__all__ = ["PRODUCTS", "ContractTests", "ReaderTests", "differing_files", "store_digest", "write_samples"]


def __getattr__(name: str) -> Any:
    # Only the inheritable tests need pytest.
    if name == "ContractTests":
        from spectral_zarr.testing.contract_tests import ContractTests

        return ContractTests
    if name == "ReaderTests":
        from spectral_zarr.testing.reader_tests import ReaderTests

        return ReaderTests
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
