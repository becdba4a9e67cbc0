"""The report of a run: one HTML file that opens from disk, without network or scripts."""

import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pandas as pd
from markupsafe import Markup, escape

from hepatoclr import costs, layout, pages
from hepatoclr.errors import UserError
from hepatoclr.version import VERSION

Table = pd.DataFrame | str | Path


def html(
    run: str,
    tables: Mapping[str, Table],
    figures: Mapping[str, str | Path],
    facts: Mapping[str, Mapping],
    synthetic: bool,
    counts: Mapping[str, int] | None = None,
    cost: pd.DataFrame | None = None,
) -> str:
    """Put a run's results into one page.

    Args:
        run: Name of the run.
        tables: Title to a table, or to the CSV file that `tables.write` gave; others are shown
            as they are. The first with methods gives the verdict.
        figures: Title to an SVG file.
        facts: Title to what else is known, nested at will: cohorts, settings, versions.
        synthetic: Whether the cohort is simulated.
        counts: What `metrics.counts` returns.
        cost: What `costs.table` returns.

    Returns:
        The page, everything that is not markup escaped.

    Raises:
        UserError: A figure is not SVG.
    """
    frames = {title: _frame(table) for title, table in tables.items()}
    compared = [frame for frame in frames.values() if frame.columns[0] == "method"]
    return pages.render(
        "report.html.j2",
        run=run,
        verdict=verdict(compared[0]) if compared else [],
        counts=counts,
        banner=layout.SYNTHETIC if synthetic else "",
        tables={
            title: layout.of(frame, counts) if _is_result(frame) else frame
            for title, frame in frames.items()
        },
        figures={
            title: _inline(path, title, f"f{number}-")
            for number, (title, path) in enumerate(figures.items())
        },
        cost=None if cost is None else costs.readable(cost),
        facts={title: _grid(section) for title, section in facts.items()},
    )


def versions() -> dict[str, str]:
    """Versions of what the results depend on."""
    packages = ("torch", "kornia", "scikit-learn", "totalsegmentator", "simpleitk", "nibabel")
    return {"hepatoclr": VERSION, **{name: metadata.version(name) for name in packages}}


def verdict(table: pd.DataFrame) -> list[str]:
    """Say which method is best in AUC, a sentence per protocol, beside random weights.

    Args:
        table: What `tables.table1` returns.
    """
    sentences = []
    for protocol, part in table.groupby("protocol", sort=False):
        part = part.set_index("method")
        best = part["auc_mean"].idxmax()
        names = {"what": layout.PROTOCOL_LABELS.get(protocol, protocol)}
        names["who"] = layout.method_label(best)
        names["result"] = layout.plus_minus(*part.loc[best, ["auc_mean", "auc_sd"]])
        sentence = "Best {what} AUC: {who} {result}".format(**names)
        folds = int(part.loc[best, "n_folds"])
        sentence += f" over {folds} fold{'s' if folds > 1 else ''}"
        if "none" in part.index and best != "none":
            own = layout.plus_minus(*part.loc["none", ["auc_mean", "auc_sd"]])
            sentence += f"; random weights {own}"
        sentences.append(f"{sentence}.")
    return sentences


def _frame(table: Table) -> pd.DataFrame:
    return table if isinstance(table, pd.DataFrame) else pd.read_csv(table)


def _is_result(frame: pd.DataFrame) -> bool:
    """Say whether `layout.of` knows this kind of table."""
    return frame.columns[0] in layout.HEADINGS and {"n_folds", "data"} <= set(frame)


def _inline(path: str | Path, title: str, prefix: str) -> Markup:
    """Read an SVG file as markup to put into a page, with ids of its own and a spoken name.

    Figures of one page share ids otherwise, and a clip path would be taken from another figure.
    """
    text = Path(path).read_text(encoding="utf-8")
    if "<svg" not in text:
        raise UserError(f"{path} is not an SVG file. Give the report figures as SVG.")
    drawing = text[text.index("<svg") :]
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}", drawing)
    name = f'<svg role="img" aria-label="{escape(title)}"'
    return Markup(drawing.replace("<svg", name, 1))  # noqa: S704


def _grid(section: Mapping) -> tuple[list[str], list[list[str]]]:
    """Turn facts into a header and rows of text.

    Facts of the same kind about several things become a row each; anything else a row per
    fact, nested names joined by dots, without a header.
    """
    values = list(section.values())
    if values and all(isinstance(value, Mapping) for value in values):
        names = list(values[0])
        flat = not any(isinstance(cell, Mapping) for value in values for cell in value.values())
        if flat and all(list(value) == names for value in values):
            rows = [[str(key), *map(_text, value.values())] for key, value in section.items()]
            return ["", *map(str, names)], rows
    return [], [[name, _text(value)] for name, value in _flat(section).items()]


def _flat(section: Mapping, prefix: str = "") -> dict[str, object]:
    """Flatten nested facts: {"a": {"b": 1}} is {"a.b": 1}."""
    found = {}
    for key, value in section.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {}
        found |= inner or {f"{prefix}{key}": value}
    return found


def _text(value: object) -> str:
    """A fact as text: lists without brackets, yes and no, nothing for nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return "" if value is None or value == {} else str(value)
