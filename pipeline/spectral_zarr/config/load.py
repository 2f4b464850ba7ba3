"""Reading ``ingest.toml``: every key is known and of the right type, or the error names it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from spectral_zarr.config.options import Config
from spectral_zarr.errors import ConfigError


def load_config(path: str | Path | None = None) -> Config:
    """Read a configuration file.

    Parameters
    ----------
    path : path-like, optional
        TOML file with the tables of `Config`; None gives the defaults.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        When the file cannot be read, is not TOML, or has an unknown key, a wrong type or a bad pattern.
    """
    if path is None:
        return Config()
    try:
        text = Path(path).read_bytes()
        raw = msgspec.toml.decode(text)
        _refuse_unknown(raw, Config(), "")
        config = msgspec.convert(raw, Config)
        _check_patterns(config)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path=str(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{error}; see the README for the keys", path=str(path)) from error
    return config


def _check_patterns(config: Config) -> None:
    for key, patterns in (("header.allow", config.header.allow), ("header.deny", config.header.deny)):
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise msgspec.ValidationError(f"the pattern '{pattern}' of {key} is wrong: {error}") from error


def _refuse_unknown(raw: object, default: object, prefix: str) -> None:
    if not isinstance(raw, dict) or not hasattr(default, "__dataclass_fields__"):
        return
    known = tuple(default.__dataclass_fields__)
    for key, value in raw.items():
        if key not in known:
            raise msgspec.ValidationError(f"unknown key '{prefix}{key}' (known: {', '.join(known)})")
        _refuse_unknown(value, getattr(default, key), f"{prefix}{key}.")
