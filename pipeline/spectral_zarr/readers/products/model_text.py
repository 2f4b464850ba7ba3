"""Synthetic spectra as columns of text: POLLUX and AMBRE, Turbospectrum, Korg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spectral_zarr.config import ReaderOptions, TableOptions
from spectral_zarr.contract.units import DIMENSIONLESS, canonical_unit
from spectral_zarr.errors import MissingField, RefusedProduct, UnknownUnit
from spectral_zarr.model import Pixels, Sampling, Spectrum
from spectral_zarr.readers.fits import HeaderPolicy
from spectral_zarr.readers.synthetic import SURFACE_FLUX, marcs_parameters, model_observation, model_stem
from spectral_zarr.readers.text import TextFile

_SPEC = re.compile(r".*\.spec(\.flat)?(\.gz|\.bz2)?\Z", re.IGNORECASE)
_POLLUX_STEM = re.compile(r"[A-Z]_[ps]\d{4,5}g|[ps]\d{4,5}:g")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_COMMENTED_PARAMETER = re.compile(
    r"(?<!\w)(teff|logg|log_g|feh|\[fe/h\]|\[m/h\]|m_h|alpha_m|vmic|vsini)\s*[:=]\s*([-+]?\d+(?:\.\d+)?)"
)
_PARAMETERS = {"log_g": "logg", "[fe/h]": "feh", "[m/h]": "m_h"}
_ROLES = (
    ("wavelength", re.compile(r"wave|lambda|wl\b|wl\Z")),
    ("normalized", re.compile(r"norm|residual|rectified")),
    ("continuum", re.compile(r"cont|cntm")),
    ("flux", re.compile(r"flux|abs|intens|surface")),
)
_LARGEST_NORMALIZED = 1.5
_LEAST_FLUX = 100.0
_ROUGHEST_CONTINUUM = 0.01
"""A flux and its error, which are columns of such files as well, have a ratio that jumps from pixel to pixel."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns of one flux spectrum."""

    wavelength: Pixels
    flux: Pixels | None = None
    normalized: Pixels | None = None
    continuum: Pixels | None = None


class ModelText:
    """Columns of wavelength, normalised flux and absolute flux in erg s-1 cm-2 Angstrom-1, or intensities by angle.

    Turbospectrum (Plez 2012, ASCL 1205.004) writes wavelength, normalised flux and flux; a file of intensities has
    a comment with the cosines of the angles, and a pair of columns for each. POLLUX (Palacios et al. 2010, A&A 516,
    A13) and AMBRE (de Laverny et al. 2012, A&A 544, A126) have the same three columns, in air. Of two columns that
    differ by the scale of a surface flux, the one near unity is the normalised one, whatever the order; a comment line
    with a word for each column wins. The medium of the other codes is what a comment or ``[readers.table]`` says.

    Parameters
    ----------
    code : {'pollux', 'korg', 'turbospectrum'}
        What wrote the files.
    """

    version = "1"
    priority = 0
    policy = HeaderPolicy()
    reads = TextFile

    def __init__(self, code: str, title: str, names: str = "") -> None:
        self.code = code
        self.name = f"{code}-text"
        self.title = title
        self.names = names

    def claims(self, file: TextFile, options: ReaderOptions) -> bool:
        return _code(file) == self.code

    def read(self, file: TextFile, options: ReaderOptions, policy: HeaderPolicy) -> Iterator[Spectrum]:
        comments = _comments(file)
        table = file.numbers(columns=2)
        angles = _angles(comments, (table.shape[1] - 1) // 2) if table.shape[1] % 2 else ()
        stem = model_stem(file.name)
        params = marcs_parameters(stem) or _commented_parameters(comments)
        sampling = Sampling(
            unit=options.table.wavelength_unit or "Angstrom",
            medium=_medium(self.code, comments, options.table),
            values=table[:, 0],
        )
        source = "file name" if marcs_parameters(stem) else "comments" if params else ""
        simulator = _simulator(self.code, file.name, comments)
        if angles:
            for row, mu in enumerate(angles):
                pair = table[:, 1 + 2 * row], table[:, 2 + 2 * row]
                intensity, normalized = _by_scale(pair, file.name)
                yield Spectrum(
                    spec_id=f"{stem}_mu{mu:g}",
                    flux=intensity,
                    flux_unit=options.table.flux_unit or f"{SURFACE_FLUX}/sr",
                    sampling=sampling,
                    observation=model_observation(simulator, source, flux_type="intensity"),
                    normalized=normalized,
                    params={**params, "mu": mu},
                    row=row,
                )
            return
        columns = _columns(table, comments, file.name)
        unit, is_normalized = _flux_unit(columns, options.table, file.name)
        flux = columns.normalized if columns.flux is None else columns.flux
        assert flux is not None
        yield Spectrum(
            spec_id=stem,
            flux=flux,
            flux_unit=unit,
            sampling=sampling,
            observation=model_observation(
                simulator, source, flux_calibration="normalized" if is_normalized else "absolute"
            ),
            normalized_product=is_normalized,
            normalized=None if is_normalized else columns.normalized,
            continuum=None if is_normalized else columns.continuum,
            continuum_method="none" if is_normalized or columns.continuum is None else "column:CONTINUUM",
            params=params,
        )


def _code(file: TextFile) -> str:
    name = file.name.rpartition("/")[2]
    said = " ".join(_comments(file)).lower()
    if _POLLUX_STEM.match(name) or "pollux" in said or "ambre" in said:
        return "pollux"
    if "korg" in said:
        return "korg"
    return "turbospectrum" if _SPEC.match(name) or "turbospec" in said else ""


def _comments(file: TextFile) -> list[str]:
    return [line.strip("#! \t") for line in file.head[:200] if line.startswith(("#", "!"))]


def _columns(table: Pixels, comments: Sequence[str], name: str) -> _Columns:
    if named := _named_roles(comments, table.shape[1]):
        return _Columns(**{role: table[:, i] for i, role in enumerate(named)})
    if table.shape[1] == 2:
        return _Columns(table[:, 0], table[:, 1])
    if table.shape[1] == 3:
        flux, normalized = _by_scale((table[:, 2], table[:, 1]), name)
        return _Columns(table[:, 0], flux, normalized)
    message = f"{table.shape[1]} columns and no comment that names them or gives the angles of pairs; keep 3 columns"
    raise MissingField(message, path=name)


def _named_roles(comments: Sequence[str], n_columns: int) -> tuple[str, ...]:
    for line in reversed(comments):
        words = [word for word in re.split(r"[\s,;|]+", re.sub(r"[\[(][^\])]*[\])]", "", line.lower())) if word]
        if len(words) == n_columns:
            roles = tuple(next((role for role, rule in _ROLES if rule.search(word)), "") for word in words)
            if roles[0] == "wavelength" and "" not in roles and len(set(roles)) == len(roles):
                return roles
    return ()


def _by_scale(pair: tuple[Pixels, Pixels], name: str) -> tuple[Pixels, Pixels]:
    """(absolute, normalised) of two columns: their ratio is a continuum, large and smooth."""
    low, high = sorted(pair, key=_median)
    with np.errstate(all="ignore"):
        continuum = high / low
        roughness = _median(np.abs(np.diff(continuum)) / np.abs(continuum[1:]))
    if 0 < _median(low) <= _LARGEST_NORMALIZED and _median(high) >= _LEAST_FLUX and roughness <= _ROUGHEST_CONTINUUM:
        return high, low
    message = (
        "it cannot be told which column is the normalised flux; name the columns in a comment line,"
        " '# wavelength normalized flux'"
    )
    raise RefusedProduct(message, path=name)


def _median(values: Pixels) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else 0.0


def _angles(comments: Sequence[str], n_pairs: int) -> tuple[float, ...]:
    for line in comments:
        _, found, rest = line.lower().partition("mu")
        values = tuple(float(text) for text in _NUMBER.findall(rest or line)) if found else ()
        if len(values) == n_pairs and all(0 <= mu <= 1 for mu in values) and len(set(values)) == n_pairs:
            return values
    return ()


def _flux_unit(columns: _Columns, options: TableOptions, name: str) -> tuple[str, bool]:
    if columns.flux is None:
        return DIMENSIONLESS, True
    alone = columns.normalized is None and columns.continuum is None
    unit = options.flux_unit or ("" if alone else SURFACE_FLUX)
    if not unit:
        message = (
            "two columns, so the flux may be normalised or not; set flux_unit in [readers.table], 'normalized' or"
            f" '{SURFACE_FLUX}'"
        )
        raise UnknownUnit(message, path=name)
    return unit, alone and canonical_unit(unit) == DIMENSIONLESS


def _medium(code: str, comments: Sequence[str], options: TableOptions) -> str:
    if options.medium != "unknown":
        return options.medium
    said = " ".join(comments).lower()
    words = {word for word in ("air", "vacuum") if re.search(rf"\b{word}\b", said)}
    if len(words) == 1:
        return words.pop()
    return "air" if code == "pollux" else "unknown"


def _commented_parameters(comments: Sequence[str]) -> dict[str, float]:
    found = _COMMENTED_PARAMETER.findall("\n".join(comments).lower())
    return {_PARAMETERS.get(key, key): float(value) for key, value in found}


def _simulator(code: str, name: str, comments: Sequence[str]) -> str:
    if code == "pollux":
        return "AMBRE" if "ambre" in (name + " ".join(comments)).lower() else "POLLUX"
    version = re.search(rf"{code}(?:\.jl)?[ _-]*v?(\d+(?:\.\d+)*)", " ".join(comments), re.IGNORECASE)
    title = code.capitalize()
    return f"{title}-{version[1]}" if version else title


READERS = (
    ModelText(
        "pollux", "POLLUX and AMBRE synthetic spectra (text)", r"([A-Z]_)?[ps]\d{4,5}:?g.*\.spec(\.(flat|gz|bz2))*"
    ),
    ModelText("turbospectrum", "Turbospectrum output (.spec, .intensity.spec)", r".*\.spec(\.(gz|bz2))?"),
    ModelText("korg", "Korg output (text with Korg in a comment)"),
)
