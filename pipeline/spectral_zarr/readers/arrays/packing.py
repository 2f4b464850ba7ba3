"""Packed and missing values of datasets, as the CF conventions and the netCDF library define them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectral_zarr.errors import RefusedProduct

_SCALES = ("scale_factor", "add_offset")
_MISSING = ("_FillValue", "missing_value")
_LIMITS = ("valid_min", "valid_max", "valid_range")

_DEFAULT_FILLS = {
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
}
"""What the netCDF library leaves in integers that were never written (netcdf.h, NC_FILL_*); bytes have none."""

_DEFAULT_FLOAT_FILL = 15.0 * 2.0**119
"""NC_FILL_FLOAT and NC_FILL_DOUBLE, which no measurement equals."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How the values of one dataset are unpacked.

    Attributes
    ----------
    scale, offset : float
        The value is ``packed * scale + offset``.
    missing : tuple of number
        Packed values that mean missing.
    low, high : number
        Least and greatest packed value that is valid.
    unsigned : bool
        Whether integers are to be read without sign.
    """

    scale: float = 1.0
    offset: float = 0.0
    missing: tuple[Any, ...] = ()
    low: Any = -math.inf
    high: Any = math.inf
    unsigned: bool = False

    @property
    def is_scaled(self) -> bool:
        """Whether unpacking changes values that are not missing."""
        return self.scale != 1.0 or self.offset != 0.0

    def unpack(self, values: NDArray[Any]) -> NDArray[Any] | Sequence[Any]:
        """Values of a dataset, NaN where they are missing.

        Integers without a scale stay integers, because identifiers would lose digits as floats; where some are
        missing, one axis of them becomes a list of integers and NaN, and more axes become float64.
        """
        if self.unsigned and values.dtype.kind == "i":
            values = values.view(values.dtype.str.replace("i", "u"))
        absent = self._absent(values)
        if not self.is_scaled and absent is None:
            return values
        if absent is not None and not self.is_scaled and values.dtype.kind in "iu" and values.ndim == 1:
            return [math.nan if gone else value for value, gone in zip(values.tolist(), absent, strict=True)]
        narrow = not self.is_scaled and values.dtype.kind == "f"
        result = np.array(values, dtype=values.dtype if narrow else np.float64)
        if self.is_scaled:
            result *= self.scale
            result += self.offset
        if absent is not None:
            result[absent] = np.nan
        return result

    def _absent(self, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        absent = np.zeros(values.shape, np.bool_)
        for value in self.missing:
            absent |= values == value
        if self.low != -math.inf:
            absent |= values < self.low
        if self.high != math.inf:
            absent |= values > self.high
        return absent if absent.any() else None


def packs(attributes: Mapping[str, Any]) -> bool:
    """Whether attributes of a dataset turn its values into others."""
    return any(name in attributes for name in _SCALES)


def packing(attributes: Mapping[str, Any], dtype: np.dtype[Any], *, netcdf: bool, name: str, path: str) -> Packing:
    """How a dataset of numbers is unpacked.

    Parameters
    ----------
    attributes : mapping
        Attributes of the dataset: CF conventions 1.11, sections 2.5.1 and 8.1.
    dtype : dtype
        Of the values in the file.
    netcdf : bool
        Whether the netCDF library wrote the file, whose default fill values then mean missing.
    name, path
        Dataset and file, for messages.

    Raises
    ------
    RefusedProduct
        When an attribute holds no number.
    """
    given = {
        attribute: _numbers(attributes[attribute], attribute, name, path)
        for attribute in (*_SCALES, *_MISSING, *_LIMITS)
        if attribute in attributes
    }
    unsigned = dtype.kind == "i" and _text(attributes.get("_Unsigned")) == "true"
    missing = [*given.get("_FillValue", ()), *given.get("missing_value", ())]
    if unsigned:
        missing = [value % (1 << (8 * dtype.itemsize)) if value < 0 else value for value in missing]
    if dtype.kind == "f" and dtype.itemsize >= 4:
        missing.append(_DEFAULT_FLOAT_FILL)
    elif netcdf and "_FillValue" not in given and dtype.str[1:] in _DEFAULT_FILLS:
        missing.append(_DEFAULT_FILLS[dtype.str[1:]])
    low, high = given.get("valid_range", (-math.inf, math.inf))
    return Packing(
        scale=float(given.get("scale_factor", (1.0,))[0]),
        offset=float(given.get("add_offset", (0.0,))[0]),
        missing=tuple(value for value in missing if value == value),
        low=given.get("valid_min", (low,))[0],
        high=given.get("valid_max", (high,))[0],
        unsigned=unsigned,
    )


def _numbers(value: Any, attribute: str, name: str, path: str) -> tuple[Any, ...]:
    found = np.atleast_1d(np.asarray(value)).reshape(-1)
    many = {"missing_value": found.size, "valid_range": 2}.get(attribute, 1)
    if found.dtype.kind not in "fiu" or found.size != many or found.size == 0:
        message = f"the attribute {attribute} of {name} is '{_text(value)}', no number; correct or remove it"
        raise RefusedProduct(message, path=path)
    return tuple(found.tolist())


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
