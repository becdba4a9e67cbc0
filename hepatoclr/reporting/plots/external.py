"""Figures of external cohorts: the drop of the AUC, and curves inside and outside side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from hepatoclr.reporting import formatting
from hepatoclr.reporting.colours import BLACK, GREY
from hepatoclr.reporting.plots import common, curves
from hepatoclr.stats import transport

NAMES = ("external_drop", "external_roc", "external_calibration", "external_recalibration")
SHOWN = ("linear", "finetune")
UPDATES = dict(zip(transport.UPDATES, common.STYLES[2:5:2], strict=True))
NOTHING = "Nothing to draw: no external cohort can be compared with labels."


@matplotlib.rc_context(common.SETTINGS)
def drop(table: pd.DataFrame, paths: Sequence[str | Path]) -> Figure:
    """Draw by how much the AUC falls from inside to outside (a forest plot), a panel per protocol.

    Args:
        table: What `external.external` of the tables returns.
        paths: Files to write.
    """
    known = table[table["protocol"].isin(SHOWN) & table["drop"].notna()]
    if known.empty:
        return common.only_text(NOTHING, paths)
    pairs = list(dict.fromkeys(known[["cohort", "encoder"]].itertuples(index=False, name=None)))
    lines = [
        line
        for cohort in dict.fromkeys(cohort for cohort, _ in pairs)
        for line in [(cohort, ""), *(pair for pair in pairs if pair[0] == cohort)]
    ]
    protocols = known["protocol"].unique()
    figure = Figure(figsize=(1.9 + 2.5 * len(protocols), 0.9 + 0.27 * len(lines)))
    panels = figure.subplots(1, len(protocols), squeeze=False, sharex=True, sharey=True)[0]
    for axes, protocol in zip(panels, protocols, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.9)
        colour, _, marker = common.protocol_style(protocol)
        rows = known[known["protocol"] == protocol].set_index(["cohort", "encoder"])
        for y, pair in enumerate(lines):
            if pair in rows.index:
                row = rows.loc[pair]
                axes.plot([row["drop_low"], row["drop_high"]], [y, y], color=colour, linewidth=2)
                axes.plot(row["drop"], y, color=colour, marker=marker, linestyle="none")
        axes.set_title(common.panel_title(protocol))
        axes.set_xlabel("AUC inside less AUC outside, 95 %")
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines.left.set_visible(False)
    words = [formatting.short_label(encoder) if encoder else cohort for cohort, encoder in lines]
    panels[0].set_yticks(range(len(lines)), words)
    for tick, (_, encoder) in zip(panels[0].get_yticklabels(), lines, strict=True):
        tick.set(fontweight="normal" if encoder else "bold", color=BLACK)
    panels[0].set_ylim(len(lines) - 0.4, -0.6)
    return common.finish(figure, formatting.disclaimers(table), paths)


def beside(
    predictions: pd.DataFrame,
    measured: pd.DataFrame,
    methods: Mapping[str, str],
    paths: Mapping[str, Sequence[str | Path]],
) -> dict[str, Figure]:
    """Draw ROC and calibration of the linear models, a panel for inside and for each cohort.

    Args:
        predictions: Of one protocol, with the place in the column protocol.
        measured: What `measures.measures` returns of them.
        methods: Row name to encoder name, as for `tables.table1`.
        paths: Files to write, by figure.
    """
    if predictions["protocol"].nunique() < 2:
        return {name: common.only_text(NOTHING, to) for name, to in paths.items()}
    names = {encoder: method for method, encoder in methods.items()}
    areas = measured[measured["measure"] == "auc"].assign(
        method=lambda rows: rows["encoder"].map(names)
    )
    columns = {"estimate": "auc_mean", "low": "auc_low", "high": "auc_high"}
    areas = areas.rename(columns=columns).dropna(subset="method")
    return {
        "external_roc": curves.roc(predictions, methods, areas, paths["external_roc"], more=""),
        "external_calibration": curves.calibration(
            predictions, methods, measured, paths["external_calibration"], more=""
        ),
    }


@matplotlib.rc_context(common.SETTINGS)
def recalibration(table: pd.DataFrame, found: pd.DataFrame, paths: Sequence[str | Path]) -> Figure:
    """Draw what recalibrating costs: Brier score over patients, of the best linear models inside.

    Args:
        table: What `external.external` of the tables returns.
        found: What `external.recalibration` of the tables returns.
        paths: Files to write.
    """
    linear = table[(table["protocol"] == "linear") & table["inside"].notna()]
    known = found[found["protocol"].eq("linear")] if len(found) else found
    if linear.empty or known.empty:
        return common.only_text(NOTHING, paths)
    best = linear.loc[linear["inside"].idxmax(), "encoder"]
    known = known[known["encoder"] == best]
    cohorts = known["cohort"].unique()
    figure = Figure(figsize=(2.2 + 2.4 * len(cohorts), 3.2))
    panels = figure.subplots(1, len(cohorts), squeeze=False, sharey=True)[0]
    for axes, cohort in zip(panels, cohorts, strict=True):
        rows = known[known["cohort"] == cohort]
        before = rows.loc[rows["update"] == "none", "brier"].iloc[0]
        axes.axhline(before, color=GREY, linewidth=1.2, label="as it is")
        sizes = sorted(set(rows["patients"]) - {0})
        for number, (update, style) in enumerate(UPDATES.items()):
            own = rows[rows["update"] == update].set_index("patients").reindex(sizes)
            colour, line, marker = style
            places = [place + 0.12 * number for place in range(len(sizes))]
            arms = [own["brier"] - own["brier_low"], own["brier_high"] - own["brier"]]
            look = {"color": colour, "linestyle": line, "marker": marker, "capsize": 2.5}
            axes.errorbar(places, own["brier"], yerr=arms, label=update, elinewidth=1, **look)
        axes.set_xticks(range(len(sizes)), sizes)
        axes.set_xlim(-0.5, len(sizes) - 0.4)
        axes.set_xlabel("Patients recalibrated on")
        axes.set_title(cohort)
        axes.grid(True, axis="y")
    panels[0].set_ylabel("Brier score of the others")
    handles = panels[0].get_legend_handles_labels()
    title = formatting.short_label(best)
    figure.legend(*handles, loc="outside upper left", ncols=3, title=title, alignment="left")
    return common.finish(figure, formatting.disclaimers(table), paths)


def all(
    table: pd.DataFrame,
    predictions: pd.DataFrame,
    measured: pd.DataFrame,
    recalibrated: pd.DataFrame,
    methods: Mapping[str, str],
    paths: Mapping[str, Sequence[str | Path]],
) -> dict[str, Figure]:
    """Draw all of `NAMES`; arguments as of `drop`, `beside` and `recalibration`."""
    sides = {name: paths[name] for name in ("external_roc", "external_calibration")}
    return {
        "external_drop": drop(table, paths["external_drop"]),
        **beside(predictions, measured, methods, sides),
        "external_recalibration": recalibration(
            table, recalibrated, paths["external_recalibration"]
        ),
    }
