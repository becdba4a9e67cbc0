"""The measured part of docs/does-it-work.md, in Markdown."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from benchmarks.common import markdown
from benchmarks.positive_control import cells, effects, figures
from benchmarks.positive_control.effects import Arm, Estimate

NOTHING = "Not measured yet.\n"
PROTOCOLS = {
    "linear": "features as they are",
    "linear_scaled": "standardised",
    "linear_nested": "C chosen within the folds",
    "finetune": "fine-tuned",
}
MAIN = "linear"


def section(table: pd.DataFrame, probes: pd.DataFrame, drawn: Iterable[str] = ()) -> str:
    """Write down what the tables say.

    Args:
        table: What `table.read` gives.
        probes: What `table.read_probes` gives.
        drawn: Paths of the figures, relative to the page.
    """
    if table.empty:
        return NOTHING
    pictures = "".join(f"![{alt(path)}]({path})\n\n" for path in drawn)
    parts = [
        about(table),
        answers(table),
        by_method(table),
        pictures.strip(),
        beta_curve(table),
        by_noise(table),
        by_size(table),
        probed(probes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def alt(path: str) -> str:
    """What a figure shows, for who does not see it."""
    kinds = {
        "methods": "AUC of each method with intervals over data seeds",
        "beta": "AUC over beta",
        "noise": "AUC over the noise of the reader",
        "sizes": "AUC over patients for pretraining, and over the share who were read",
    }
    return next(text for kind, text in kinds.items() if f"_{kind}." in path)


def about(table: pd.DataFrame) -> str:
    """How much was run, and whether by one code and one setting."""
    runs = table.drop_duplicates(["data_seed", "patients", "noise", "labelled"])
    seeds = table.loc[table["encoder"] != cells.ORACLE, "training_seed"].nunique()
    trainings = table.loc[~table["encoder"].isin([cells.RANDOM, cells.ORACLE])]
    trainings = len(trainings.drop_duplicates([*cells.KEY[:5], "training_seed"]))
    hours = runs["core_seconds"].sum() / 3600
    positive, negative = (table[name].mean() for name in ("positive", "negative"))
    text = (
        f"{len(runs)} cells of {table['data_seed'].nunique()} data seeds, {seeds} training seed"
        f"{'s' * (seeds > 1)} each, {trainings} pretrainings; {hours:.1f} core hours. "
        f"{positive:.0f} positive and {negative:.0f} negative patients in an evaluation cohort; "
        f"the standard error of one AUC (DeLong) is {np.sqrt(table['variance'].mean()):.3f}."
    )
    if table["code"].nunique() > 1:
        text += f" **The rows are of {table['code'].nunique()} states of the code.**"
    return text


def answers(table: pd.DataFrame) -> str:
    """The questions, a row each: a difference of AUC, its interval over data seeds, the verdict."""
    rows = []
    for question, one, other in questions(table):
        cell = [question]
        for protocol in (MAIN, "linear_scaled"):
            found = effects.difference(table, one, other, protocol) if one and other else NONE
            cell += [signed(found), found.verdict]
        rows.append([*cell, str(found.seeds)])
    head = ["", *("features as they are", "shown?", "standardised", "shown?", "data seeds")]
    return markdown(head, rows)


NONE = Estimate(np.nan, np.nan, np.nan, 0)


def questions(table: pd.DataFrame) -> list[tuple[str, Arm | None, Arm | None]]:
    """Each question: its text, and the arms whose difference answers it."""
    random, simclr, weak = Arm(cells.RANDOM), Arm(cells.SIMCLR), Arm(cells.WEAK)
    supervised, oracle = Arm(cells.SUPERVISED), Arm(cells.ORACLE)
    best = effects.best(table, MAIN, effects.candidates())
    chosen = figures.NAMES.get(best.encoder, best.encoder) if best else "?"
    return [
        ("SimCLR above random weights", simclr, random),
        ("supervised above random weights", supervised, random),
        ("weak-SimCLR above random weights", weak, random),
        ("weak-SimCLR above SimCLR", weak, simclr),
        ("supervised above SimCLR", supervised, simclr),
        ("weak-SimCLR above supervised", weak, supervised),
        *(
            (f"{name}, {more:,} patients above {less:,}", Arm(encoder, more), Arm(encoder, less))
            for encoder, name in ((cells.SIMCLR, "SimCLR"), (cells.WEAK, "weak-SimCLR"))
            for less, more in ((cells.SIZES[0], cells.PATIENTS), (cells.PATIENTS, cells.SIZES[-1]))
        ),
        (f"the oracle above the best ({chosen})", oracle, best),
        (f"trained on the true stage, above {chosen}", effects.ceiling(table, MAIN), best),
    ]


def by_method(table: pd.DataFrame) -> str:
    """AUC of each encoder in each protocol, and whether it learnt."""
    present = [p for p in PROTOCOLS if (table["protocol"] == p).any()]
    encoders = [cells.RANDOM, *cells.methods(), cells.ORACLE]
    rows = []
    for encoder in encoders:
        part = table[_usual(table) & (table["encoder"] == encoder)]
        if len(part):
            aucs = [plain(effects.auc(table, Arm(encoder), protocol)) for protocol in present]
            loss = [
                f"{part[name].mean():.2f}" if part[name].notna().any() else ""
                for name in ("loss", "chance")
            ]
            note = "" if effects.learnt(table, Arm(encoder)) else ", **did not learn**"
            rows.append([f"{figures.NAMES.get(encoder, encoder)}{note}", *aucs, *loss])
    head = ["AUC", *(PROTOCOLS[name] for name in present), "last loss", "level of chance"]
    return markdown(head, rows) if rows else ""


def beta_curve(table: pd.DataFrame) -> str:
    """AUC by beta, and how often each is the best of a bootstrap."""
    curve = effects.betas(table, MAIN)
    if len(curve) < 2:
        return ""
    rows = [
        [f"{row.beta:g}", plain(Estimate(row.mean, row.low, row.high, 0)), f"{row.best:.0%}"]
        for row in curve.itertuples(index=False)
    ]
    return markdown(["beta", "AUC", "the best in so many draws"], rows)


def by_noise(table: pd.DataFrame) -> str:
    """What weak labels are worth by the reader's noise, and where they stop to help."""
    curve = effects.noise_curve(table, MAIN)
    if len(curve) < 2:
        return ""
    rows = [
        [
            figures.NOISE_NAMES.get(row["noise"], row["noise"]),
            f"{row['reader_auc']:.2f}",
            f"{row['reader_positive']:.0%}",
            *(plain(_of(row, name)) for name in ("supervised", "weak")),
            signed(_of(row, "weak_gain")),
        ]
        for row in curve.to_dict("records")
    ]
    head = [
        "reader's noise",
        "reader's AUC",
        "called cirrhotic",
        "supervised",
        "weak-SimCLR",
        "weak-SimCLR above SimCLR",
    ]
    x, ends = curve["reader_auc"].to_numpy(float), ("weak_gain_low", "weak_gain")
    sure, even = (effects.crossing(x, curve[name].to_numpy(float)) for name in ends)
    text = (
        "Beside SimCLR (weak-SimCLR), weak labels help beyond doubt (the interval is above 0) "
        f"{where(sure)}; their mean gain is above 0 {where(even)}."
    )
    return f"{markdown(head, rows)}\n\n{text}"


def where(auc: float) -> str:
    """Say down to which reader something holds."""
    if np.isnan(auc):
        return "with no reader that was tried, the best included"
    if np.isinf(auc):
        return "with every reader that was tried"
    return f"down to a reader whose own AUC is about {auc:.2f}"


def by_size(table: pd.DataFrame) -> str:
    """AUC by the number of patients for pretraining, and by the share who were read."""
    encoders = (cells.SUPERVISED, cells.SIMCLR, cells.WEAK)
    kinds = [
        *((f"{size:,} patients", {"patients": size}) for size in cells.SIZES),
        *(
            (f"{share:.0%} of {cells.PATIENTS} read", {"labelled": share})
            for share in cells.SHARES
            if share < 1
        ),
    ]
    rows = []
    for name, kind in kinds:
        found = [effects.auc(table, Arm(encoder, **kind), MAIN) for encoder in encoders]
        if any(np.isfinite(one.mean) for one in found):
            gain = effects.difference(table, Arm(cells.WEAK, **kind), _simclr(kind), MAIN)
            rows.append([name, *map(plain, found), signed(gain)])
    head = [
        "pretraining",
        *(figures.NAMES[encoder] for encoder in encoders),
        "weak-SimCLR above SimCLR",
    ]
    return markdown(head, rows) if rows else ""


def _simclr(kind: dict) -> Arm:
    """SimCLR needs no reading: it is that of all patients of a cohort of that size."""
    return Arm(cells.SIMCLR, patients=kind.get("patients", cells.PATIENTS))


def probed(probes: pd.DataFrame) -> str:
    """What features encode, a row per target, a column per encoder; means over seeds."""
    if probes.empty:
        return ""
    order = list(dict.fromkeys(probes["target"]))
    means = probes.groupby(["target", "measure", "encoder"])["value"].mean().unstack("encoder")
    encoders = [name for name in figures.NAMES if name in means]
    rows = [
        [
            target,
            measure.replace("R2", "R²"),
            *(f"{means.loc[(target, measure), e]:.2f}" for e in encoders),
        ]
        for target in order
        for measure in means.loc[target].index
    ]
    return markdown(["what features tell", "measure", *(figures.NAMES[e] for e in encoders)], rows)


def _usual(table: pd.DataFrame) -> pd.Series:
    usual = (table["noise"] == cells.DEFAULT) & (table["labelled"] == 1.0)
    return usual & (table["patients"] == cells.PATIENTS)


def _of(row: dict, name: str) -> Estimate:
    return Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"], 0)


def plain(one: Estimate) -> str:
    """An AUC with its interval."""
    return _written(one, "{:.3f}")


def signed(one: Estimate) -> str:
    """A difference with its interval."""
    return _written(one, "{:+.3f}")


def _written(one: Estimate, form: str) -> str:
    if not np.isfinite(one.mean):
        return ""
    ends = f" [{form.format(one.low)}, {form.format(one.high)}]" if np.isfinite(one.low) else ""
    return form.format(one.mean) + ends
