"""Tables, figures and a report of predictions that were made elsewhere, without any training.

Needed are the columns encoder (any name of a model), patient_id, label (0 or 1) and probability.
docs/guide.md lists the others.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hepatoclr.base import files, spreadsheets
from hepatoclr.base.errors import UserError
from hepatoclr.reporting import report
from hepatoclr.reporting.plots import plots
from hepatoclr.reporting.tables import external, tables
from hepatoclr.stats import metrics, predictions


def run(paths: Sequence[str | Path], output: str | Path) -> Path:
    """Compare the models of some prediction files.

    Args:
        paths: Files of predictions.
        output: Folder to write tables, figures and report.html to; its name names the run.

    Returns:
        The report.

    Raises:
        UserError: The predictions cannot be used; see `spreadsheets.read`, `predictions.read`.
    """
    found, output = predictions.combined({str(path): _text(path) for path in paths}), Path(output)
    computed = {name: table for name, table in tables.all(found).items() if len(table)}
    for name, table in computed.items():
        stem = output / "tables" / name
        outputs = [stem.with_suffix(suffix) for suffix in (".csv", ".md", ".tex")]
        tables.write(table, *outputs, tables.TITLES[name], metrics.counts(found))
    if "site" in found:
        computed["hospitals"] = hospitals(found)
        files.write_csv(computed["hospitals"].round(6), output / "tables" / "hospitals.csv")
    drawn = {
        name: [output / "figures" / f"{name}.{suffix}" for suffix in ("svg", "png")]
        for name in plots.NAMES
        if plots.DRAWN_OF.get(name, "table1") in computed
    }
    plots.all(found, computed, drawn)
    page = report.render_page(
        output.name,
        computed,
        {name: svg for name, (svg, _) in drawn.items()},
        {"versions": report.versions(), "provenance": report.provenance({}, paths)},
        metrics.counts(found),
    )
    files.write_text(page, output / "report.html")
    return output / "report.html"


def hospitals(found: pd.DataFrame) -> pd.DataFrame:
    """Summarise the AUC of each model over the hospitals of the column site.

    Raises:
        UserError: A row has no site.
    """
    site = found["site"].fillna("").str.strip()
    missing = found.loc[site == "", "patient_id"]
    if len(missing):
        raise UserError(
            f"patient {missing.iloc[0]} has no site ({len(missing)} rows in all). Give every row "
            "one, in every file, or leave the column out."
        )
    models = {name: name for name in found["encoder"].unique()}
    return external.hospitals(dict(list(found.groupby(site))), models)


def _text(path: str | Path) -> pd.DataFrame:
    """A file of predictions as text, its rows named by the numbers that a spreadsheet shows."""
    columns, records = spreadsheets.read(path, predictions.COLUMNS)
    return pd.DataFrame(records.values(), index=records, columns=columns, dtype=str)
