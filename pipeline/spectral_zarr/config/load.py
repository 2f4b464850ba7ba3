"""Reading ``ingest.toml`` and site profiles: every key is known and of the right type, or the error names it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from spectral_zarr.config.options import Config
from spectral_zarr.config.site import SiteProfile
from spectral_zarr.errors import ConfigError

Options = TypeVar("Options", Config, SiteProfile)


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
    return _load(path, Config(), _check_patterns)


def load_profile(path: str | Path | None = None) -> SiteProfile:
    """Read the profile of a site.

    Parameters
    ----------
    path : path-like, optional
        TOML file with the keys of `SiteProfile`; None gives the defaults.

    Returns
    -------
    SiteProfile

    Raises
    ------
    ConfigError
        When the file cannot be read, is not TOML, or has an unknown key, a wrong type, an amount of memory or a time
        that cannot be understood.
    """
    return _load(path, SiteProfile(), _check_profile)


def _load(path: str | Path | None, default: Options, check: Callable[[Options], None]) -> Options:
    if path is None:
        return default
    try:
        raw = msgspec.toml.decode(Path(path).read_bytes())
        _refuse_unknown(raw, default, "")
        options = msgspec.convert(raw, type(default))
        check(options)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", path=str(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{error}; see the README for the keys", path=str(path)) from error
    return options


def _check_profile(profile: SiteProfile) -> None:
    try:
        lasts, _ = profile.walltime_seconds, profile.memory_bytes
    except ConfigError as error:
        raise msgspec.ValidationError(error.message) from error
    if lasts and lasts <= profile.lead_seconds:
        raise msgspec.ValidationError(f"walltime {profile.walltime} is not longer than lead_seconds")
    for key in ("directives", "prologue"):
        for line in getattr(profile, key):
            if "\n" in line:
                raise msgspec.ValidationError(f"{key} has one entry for each line, and '{line}' has several")


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
