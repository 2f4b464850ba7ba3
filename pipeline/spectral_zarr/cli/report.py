"""Tables and blocks of facts that several commands print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from spectral_zarr.cli.terminal import clean, counted, listed, messages, results

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from spectral_zarr.model import BuildPlan, Note, Rejection

MOST_EXAMPLES = 3

WAVELENGTH_WORDS = {"identical": "one common grid", "lattice": "one common lattice", "ragged": "one grid per spectrum"}
"""How wavelengths are stored, in words."""

_TABLES = {"identical": "(N_pix,)", "lattice": "(N_pix,)", "ragged": "(N_spec, N_pix)"}


def heading(word: str, subject: str, remark: str = "", *, style: str = "green") -> None:
    """A line that begins with a coloured word, between blank lines."""
    results().print()
    results().print(headline(word, subject, remark, style), soft_wrap=True)
    results().print()


def headline(word: str, subject: str, remark: str, style: str) -> Text:
    """A line that begins with a coloured word."""
    from rich.text import Text

    line = Text.assemble((word, f"bold {style}"), "  ", (clean(subject), "bold"))
    return line + Text(f"  {clean(remark)}" if remark else "", style="dim")


def facts(entries: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    results().print(fact_table(entries))


def fact_table(entries: Iterable[tuple[str, str]]) -> Table:
    """Names and values in two columns; long values are wrapped and never cut."""
    from rich.table import Table

    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in entries:
        table.add_row(f"  {name}", clean(value))
    return table


def table(*columns: str, right: Sequence[str] = (), keep: Sequence[str] = ()) -> Table:
    """An empty table with a rule below its head.

    Parameters
    ----------
    *columns : str
        Heads.
    right : sequence of str
        Columns of numbers.
    keep : sequence of str
        Columns that are not wrapped.
    """
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=True, show_edge=False)
    for column in columns:
        justify: Any = "right" if column in right else "left"
        made.add_column(column, justify=justify, no_wrap=column in keep or column in right, overflow="fold")
    return made


def row(made: Table, *cells: object, style: str | None = None) -> None:
    """Add a row of cleaned cells."""
    made.add_row(*(clean(cell) for cell in cells), style=style)


def rejections(found: Sequence[Rejection]) -> None:
    """Rejections by code with a few places each, and what to do about them."""
    if not found:
        return
    made = table("rejected", "code", "for example", "reason", right=("rejected",), keep=("code",))
    for code, number in Counter(rejection.code for rejection in found).most_common():
        examples = [rejection for rejection in found if rejection.code == code][:MOST_EXAMPLES]
        for position, rejection in enumerate(examples):
            first = (f"{number:,}", code) if position == 0 else ("", "")
            row(made, *first, place(rejection), rejection.reason)
        if number > len(examples):
            row(made, "", "", f"and {number - len(examples):,} more", "", style="dim")
    results().print(made)


def place(rejection: Rejection) -> str:
    """``name[hdu] row n``."""
    hdu = f"[{rejection.hdu}]" if rejection.hdu >= 0 else ""
    number = f" row {rejection.row}" if rejection.row > 0 else ""
    return f"{rejection.name}{hdu}{number}"


def catalogue(plan: BuildPlan) -> str:
    """How many spectra have a row in the catalogue."""
    assert plan.catalog is not None
    found = plan.catalog
    without = plan.n_spec - found.n_matched
    return f"{found.name}: {found.n_matched:,} spectra matched by {found.key}, {without:,} without a row"


def catalogue_json(plan: BuildPlan) -> dict[str, Any] | None:
    """The join of a catalogue for programs."""
    found = plan.catalog
    if found is None:
        return None
    return {
        "name": found.name,
        "sha256": found.sha256,
        "key": found.key,
        "field": found.field,
        "params": found.params,
        "matched": found.n_matched,
        "unmatched": plan.n_spec - found.n_matched,
    }


def rejected(found: Sequence[Rejection]) -> str:
    """Number of rejections by code in one line."""
    counts = Counter(rejection.code for rejection in found).most_common()
    return f"{len(found):,} ({', '.join(f'{number:,} {code}' for code, number in counts)})" if found else "none"


def rejected_entries(found: Sequence[Rejection]) -> list[tuple[str, str]]:
    """Entries of a list of facts: what was rejected and, where there is any, what the survey itself left out."""
    from spectral_zarr.model import counting

    counted_ones = counting(found)
    n_left = len(found) - len(counted_ones)
    by_survey = [("left out", f"{n_left:,} by flags of the survey, which count for nothing")] if n_left else []
    return [("rejected", rejected(counted_ones)), *by_survey]


def noted_entries(notes: Sequence[Note]) -> list[tuple[str, str]]:
    """Entries of a list of facts: what accepted spectra lack because their files contradict themselves."""
    return [("note", f"{note.count:,} with {note.kind}, such as {note.name}: {note.reason}") for note in notes]


def noted_json(notes: Sequence[Note]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [{"kind": note.kind, "count": note.count, "example": note.name, "reason": note.reason} for note in notes]


def rejected_json(found: Sequence[Rejection]) -> dict[str, Any]:
    """Number of rejections, number of what the survey itself left out, and both by code."""
    from spectral_zarr.model import counting

    n_rejected = len(counting(found))
    return {"rejected": n_rejected, "left_out": len(found) - n_rejected, "rejections": rejections_json(found)}


def tell_rejected(found: Sequence[Rejection], listing: str = "") -> None:
    """Say on standard error that there are rejections, and where they are listed; nothing when there are none."""
    from spectral_zarr.model import counting

    if rejections := counting(found):
        where = f", listed in {clean(listing)}" if listing else ""
        messages().print(f"rejected: {rejected(rejections)}{where}", soft_wrap=True)


def rejections_json(found: Sequence[Rejection]) -> dict[str, Any]:
    """Rejections by code for programs, each with a few examples."""
    return {
        code: {
            "count": number,
            "examples": [
                {"name": one.name, "hdu": one.hdu, "row": one.row, "reason": one.reason}
                for one in [rejection for rejection in found if rejection.code == code][:MOST_EXAMPLES]
            ],
        }
        for code, number in Counter(rejection.code for rejection in found).most_common()
    }


def angstroms(low: float, high: float) -> str:
    """A wavelength range."""
    return f"{low:,.0f} to {high:,.0f} Å"


def wavelength_words(kind: str) -> str:
    """How wavelengths are stored, with the shape of the array."""
    return f"{WAVELENGTH_WORDS[kind]}, {_TABLES[kind]}"


def shares(missing: dict[str, float]) -> str:
    """Fields that spectra lack, those that all lack first."""
    always = [name for name, share in missing.items() if share == 1.0]
    sometimes = [f"{name} ({max(share, 0.01):.0%})" for name, share in missing.items() if share < 1.0]
    return listed([*always, *sometimes], most=len(missing)) or "nothing"


def spectra(number: int) -> str:
    """``1 spectrum``, ``300 spectra``."""
    return f"{number:,} {'spectrum' if number == 1 else 'spectra'}"


def files(number: int) -> str:
    """``1 file``, ``300 files``."""
    return counted(number, "file")
