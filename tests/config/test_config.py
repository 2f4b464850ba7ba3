"""The configuration file: every key takes effect, and what is wrong is refused with the name of the key."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from spectral_zarr.config import Config, load_config
from spectral_zarr.errors import ConfigError

CHOICES = {
    "readers.table.wavelength_scale": "ln",
    "readers.table.medium": "vacuum",
    "readers.image.medium": "air",
    "readers.image.rows": ("wavelength", "flux"),
    "readers.table.hdu": 2,
    "readers.image.hdu": 2,
    "readers.echelle": "rows",
    "readers.flagged": "good",
    "readers.mask_bits": (0, 3),
    "readers.arrays.wavelength_scale": "log10",
    "readers.arrays.medium": "vacuum",
    "readers.arrays.flux_type": "intensity",
    "readers.arrays.source_type": "emulator",
    "dataset.source_type": "stacked",
    "store.zarr_format": 2,
    "store.clevel": 7,
    "build.orders": "sort",
    "header.allow": ("FOO.*", "BAR"),
    "header.deny": ("BAZ",),
}


def keys(options: Any, prefix: str = "") -> dict[str, Any]:
    """Dotted name to default of every key."""
    found: dict[str, Any] = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            found |= keys(value, f"{prefix}{field.name}.")
        else:
            found[prefix + field.name] = value
    return found


DEFAULTS = keys(Config())


def another(key: str) -> Any:
    """A value of the right type that is not the default."""
    default = DEFAULTS[key]
    if key in CHOICES:
        return CHOICES[key]
    if isinstance(default, bool):
        return not default
    if isinstance(default, tuple):
        return ("something",)
    if isinstance(default, dict):
        return {"teff": "something"}
    return default / 2 if isinstance(default, float) else default + 1 if isinstance(default, int) else "something"


def toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def write(path: Path, key: str, text: str) -> Path:
    table, _, name = key.rpartition(".")
    path.write_text(f"[{table}]\n{name} = {text}\n")
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ingest.toml"


def test_without_a_file_the_defaults_hold() -> None:
    assert load_config() == Config()
    assert len(DEFAULTS) > 25


def test_an_empty_file_gives_the_defaults(file: Path) -> None:
    file.write_text("# nothing\n")
    assert load_config(file) == load_config(str(file)) == Config()


@pytest.mark.parametrize("key", DEFAULTS)
def test_every_key_takes_effect_alone(key: str, file: Path) -> None:
    value = another(key)
    assert value != DEFAULTS[key]
    assert keys(load_config(write(file, key, toml(value)))) == {**DEFAULTS, key: value}


@pytest.mark.parametrize("key", DEFAULTS)
def test_every_key_has_a_type_and_a_wrong_one_is_refused_by_name(key: str, file: Path) -> None:
    for wrong in ("{ a = 1 }", "1979-05-27"):
        with pytest.raises(ConfigError) as caught:
            load_config(write(file, key, wrong))
        assert key.rpartition(".")[2] in caught.value.message
        assert caught.value.path == str(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("store.zarr_format", "4"),
        ("store.clevel", "4"),
        ("store.clevel", "8"),
        ("store.zarr_format", '"3"'),
        ("build.orders", '"Sort"'),
        ("dataset.source_type", '"observation"'),
        ("readers.table.medium", '"vac"'),
        ("readers.table.hdu", "1.5"),
        ("readers.only", '"sdss-spec"'),
        ("build.hash_sources", "1"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_the_name_of_its_key(key: str, value: str, file: Path) -> None:
    with pytest.raises(ConfigError, match=key.rpartition(".")[2]):
        load_config(write(file, key, value))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("build.min_valid_share", "-0.1"),
        ("build.min_valid_share", "1.5"),
        ("build.min_valid_share", "nan"),
        ("build.batch_files", "0"),
        ("build.batch_files", "-1"),
        ("build.batch_bytes", "-1"),
        ("store.chunk_rows", "-1"),
        ("store.chunk_columns", "-5"),
        ("readers.table.hdu", "-1"),
        ("readers.image.hdu", "-1"),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_the_name_of_its_key(key: str, value: str, file: Path) -> None:
    with pytest.raises(ConfigError, match=key.rpartition(".")[2]):
        load_config(write(file, key, value))


@pytest.mark.parametrize(
    "key",
    [
        "colour",
        "store.colour",
        "readers.table.colour",
        "readers.image.wavelength",
        "build.batch-files",
        "stores.clevel",
    ],
)
def test_an_unknown_key_is_refused_by_its_full_name(key: str, file: Path) -> None:
    if "." in key:
        write(file, key, "1")
    else:
        file.write_text(f"{key} = 1\n")
    unknown = "stores" if key.startswith("stores") else key
    with pytest.raises(ConfigError, match=f"unknown key '{unknown}'"):
        load_config(file)


@pytest.mark.parametrize("text", ["store = 1\n", "[[store]]\nclevel = 5\n", 'readers = "table"\n'])
def test_a_table_that_is_no_table_is_refused(text: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError):
        load_config(file)


@pytest.mark.parametrize("key", ["header.allow", "header.deny"])
@pytest.mark.parametrize("pattern", ["[", "(", "*A", "(?P<a"])
def test_a_bad_pattern_is_refused_by_name(key: str, pattern: str, file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(write(file, key, toml((pattern,))))
    assert key in caught.value.message
    assert pattern in caught.value.message


@pytest.mark.parametrize("content", [b"[store\n", b"clevel\n", b"\xff\xfe", b"[store]\nclevel = 5\nclevel = 6\n"])
def test_what_is_not_toml_is_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.path == str(file)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read") as caught:
            load_config(path)
        assert caught.value.path == str(path)
        assert caught.value.exit_code == 2
