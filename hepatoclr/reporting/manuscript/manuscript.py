"""Text for a paper: what a run did and found, written out of its configuration and tables.

A template holds the prose once, and is rendered as Markdown and as LaTeX. Whatever comes from the
run is escaped for the markup at hand; only what this module writes itself is markup.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from hepatoclr.base import files
from hepatoclr.cohorts import cohort_table
from hepatoclr.learning import experiment
from hepatoclr.reporting import formatting
from hepatoclr.reporting.markup import TEX, one_line, plain_markdown
from hepatoclr.reporting.tables.common import DRAWS
from hepatoclr.stats.liver_scores import SCORES

TEXTS = ("methods", "results")
REFERENCES = "references.bib"
DEVICES = {"cpu": "the CPU"}
PRECISIONS = {"32-true": "float32", "bf16-mixed": "bfloat16", "16-mixed": "float16"}
NAMES = {"none": "random weights", "supervised": "supervised pretraining"}
PROTOCOLS = {
    "linear": "linear evaluation",
    "linear_nested": "linear evaluation with nested choice",
    "linear_scaled": "linear evaluation with standardised features",
    "linear_unscaled": "linear evaluation with features as they are",
    "finetune": "fine-tuning",
}
TESTS = {
    "p_delong": "DeLong",
    "p_permutation": "permutation",
    "p_corrected_t": "corrected resampled t",
    "p_holm": "Holm-adjusted",
}
# Steps of `patient_flow.table` at which cases are excluded; any other is the name of a flag.
REASONS = {
    "label": "label excluded by the configuration",
    "patient": "patient excluded by the configuration",
    "ingest": "CT not usable",
    "segment": "no usable liver mask",
    "truncated": "liver cut off by the end of the CT",
    "volume": "liver volume outside the limits",
    "density": "attenuation of the liver outside the limits",
    "components": "liver mask in pieces",
    "stretched": "liver mask with pieces beyond its extent",
    "phase": "contrast phase not accepted",
    "outside": "liver mask partly outside the CT",
}
METHOD = (
    *("checks", "slices", "tensors", "augmentation", "network", "experiment"),
    *("pretraining", "evaluation", "linear", "finetune"),
)
ROWS = ("comparisons", "nested", "learning_curve", "agreement", "hospitals", "baselines")
KEPT_STEPS = ("manifest", "used", "positive", "negative", "unlabelled", "tables")


class Written(str):
    """Text that is in its markup already."""


@dataclass(frozen=True)
class Markup:
    """How text is marked up.

    Attributes:
        suffix: Of its files.
        escape: Makes any text plain text in it, on one line.
        heading, strong: Formats of one text.
        cite: Format of the keys of references, and what stands before each of them.
    """

    suffix: str
    escape: Callable[[str], str]
    heading: str
    strong: str
    cite: str
    key: str = ""


LATEX_ESCAPES = TEX | str.maketrans(
    {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}"}
    | {"−": "$-$", "×": r"$\times$", "≥": r"$\geq$", "≤": r"$\leq$", '"': "''"}
)


def _latex(text: str) -> str:
    return one_line(text).translate(LATEX_ESCAPES)


MARKDOWN = Markup(".md", plain_markdown, "## {}", "**{}**", "[{}]", "@")
LATEX = Markup(".tex", _latex, r"\subsection{{{}}}", r"\textbf{{{}}}", r"\cite{{{}}}")


def facts(
    settings: Mapping,
    origins: Mapping[str, Mapping[str, str]],
    described: Mapping[str, Mapping],
    cohorts: Mapping[str, pd.DataFrame],
    flow: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    formats: Sequence[str],
    versions: Mapping[str, str],
    trainings: Sequence[Mapping] = (),
) -> dict:
    """Put together what the templates may say of a run.

    Args:
        settings: The resolved configuration without its cohorts.
        origins: What `settings.origins` returns of it.
        described: Cohort to its role, its labels (lists as in the configuration), its own checks as
            text, and whether it is synthetic.
        cohorts: Cohort to its table, see `assemble.table`.
        flow: What `patient_flow.table` returns.
        tables: Name to table: table1, and whatever of table2 and `ROWS` the run has; of others it
            is known whether they hold anything.
        formats: Of the images, DICOM and NIfTI.
        versions: What `report.versions` returns.
        trainings: What pretraining recorded; of each its `device` and `precision`.

    Returns:
        What the templates name.
    """
    table1 = tables["table1"]
    synthetic = any(about["synthetic"] for about in described.values())
    chosen = settings["experiment"]
    marked = disclaimers(table1, settings, synthetic)
    known = {
        name: {**about, **_cohort(cohorts[name], flow[flow["cohort"] == name])}
        for name, about in described.items()
    }
    rows = {name: _records(tables.get(name, pd.DataFrame())) for name in ROWS}
    outside = [row for row in _records(tables.get("external", pd.DataFrame())) if "auc" in row]
    return {
        **settings,
        **rows,
        "origins": {origin: _of_method(given) for origin, given in origins.items()},
        "disclaimers": [formatting.DISCLAIMERS[name] for name in marked],
        "synthetic": synthetic,
        "leaky": "leaky" in marked,
        "cohorts": known,
        "pretrained_on": _of(known, "pretraining"),
        "evaluated_on": _of(known, "evaluation")[0],
        "applied_to": [name for name in _of(known, "external") if known[name]["cases used"]],
        "outside": outside,
        "told": [row for row in rows["baselines"] if "encoder" not in row and "auc" in row],
        "scores": [row["baseline"] for row in rows["baselines"] if row["baseline"] in SCORES],
        "added": next((row for row in rows["baselines"] if "gain" in row), None),
        "compared_in": list(dict.fromkeys(row["cohort"] for row in outside)),
        "emptied": [name for name in _of(known, "external") if not known[name]["cases used"]],
        "encoders": list(experiment.pretrained(*map(chosen.get, ("methods", "betas", "beta")))),
        "tables": [name for name, table in tables.items() if len(table)],
        "table1": list(_performance(table1)),
        "table2": list(_performance(tables.get("table2", pd.DataFrame(columns=["", "protocol"])))),
        "intervals": "auc_low" in table1 and table1["auc_low"].notna().any(),
        "tests": [test for test in TESTS if any(test in row for row in rows["comparisons"])],
        "draws": DRAWS,
        "formats": formats,
        "versions": versions,
        "devices": sorted({DEVICES.get(made["device"], made["device"]) for made in trainings}),
        "precisions": sorted({PRECISIONS[made["precision"]] for made in trainings}),
    }


def disclaimers(table1: pd.DataFrame, settings: Mapping, synthetic: bool) -> list[str]:
    """List the disclaimers of a run's numbers: keys of `formatting.DISCLAIMERS`."""
    printed = formatting.disclaimers(table1)
    leaky = settings["finetune"]["epoch"] == "best-on-validation"
    own = {"synthetic": synthetic, "leaky": leaky}
    return [name for name in formatting.DISCLAIMERS if name in printed or own.get(name)]


def _of_method(given: Mapping[str, str]) -> dict[str, str]:
    """The settings of sections that the method is made of."""
    return {key: value for key, value in given.items() if key.split(".")[0] in METHOD}


def _of(cohorts: Mapping[str, Mapping], role: str) -> list[str]:
    return [name for name, about in cohorts.items() if about["role"] == role]


def _records(table: pd.DataFrame) -> list[dict]:
    """The rows of a table, without what is not known."""
    rows = table.to_dict("records")
    return [{key: value for key, value in row.items() if pd.notna(value)} for row in rows]


def _cohort(table: pd.DataFrame, flow: pd.DataFrame) -> dict:
    """What the templates may say of a cohort beside its description."""
    manifest = flow.loc[flow["step"] == "manifest", ["cases", "patients"]]
    return {
        **cohort_table.counts(table),
        "sites": table["site"].fillna("").replace("", np.nan).nunique(),
        "manifest": manifest.iloc[0].to_dict(),
        "excluded": list(_excluded(flow)),
    }


def _excluded(flow: pd.DataFrame) -> Iterator[dict]:
    """Why cases of a cohort were excluded, and how many of how many patients."""
    excluded = flow[~flow["step"].isin(KEPT_STEPS) & (flow["cases"] > 0)]
    for row in excluded.to_dict("records"):
        yield {**row, "reason": REASONS.get(row["step"], f"flag {row['step']}")}


def _performance(table: pd.DataFrame) -> Iterator[dict]:
    """The rows of a table by protocol, each with the name that a sentence gives it."""
    key = table.columns[0]
    for protocol, part in table.groupby("protocol", sort=False):
        rows = part.to_dict("records")
        named = [
            {**row, "who": f"beta {number(row[key])}" if key == "beta" else encoder_label(row[key])}
            for row in rows
        ]
        yield {"protocol": protocol, "rows": named}


def encoder_label(encoder: str) -> str:
    """Name an encoder within a sentence: `weak_simclr-0.5` is `weak-SimCLR 0.5`."""
    return NAMES.get(encoder, formatting.method_label(str(encoder)))


def number(value: float) -> str:
    """Print a number as it was given, with a minus sign: 0.0001, −100, 92."""
    return np.format_float_positional(float(value), trim="-").replace("-", "−")


def percent(share: float) -> str:
    """Print a share: 0.7 is 70 %."""
    return f"{number(round(100 * share, 4))} %"


def decimals(value: float) -> str:
    """Print a result with two decimals and a minus sign."""
    return formatting.number(value)


def words(values: Sequence, last: str = "and") -> str:
    """Join what is listed: `a, b and c`."""
    *before, end = [value if isinstance(value, str) else number(value) for value in values]
    return f"{', '.join(before)} {last} {end}" if before else end


def count(value: int, unit: str) -> str:
    """Count things: `1 patient`, `2 patients`."""
    return f"{value:,} {unit}" + ("" if value == 1 else "s")


def estimate(row: Mapping, measure: str) -> str:
    """Print a measure of a table's row: `0.84 ± 0.05 (95 % CI 0.78 to 0.91)`."""
    mean, sd = (row.get(f"{measure}_{part}", np.nan) for part in ("mean", "sd"))
    shown = formatting.plus_minus(mean, sd) or "not known"
    ends = [row.get(f"{measure}_{end}", np.nan) for end in ("low", "high")]
    return shown if any(map(pd.isna, ends)) else f"{shown} (95 % CI {_range(ends)})"


def difference(row: Mapping) -> str:
    """Print a difference with its interval and tests, as far as they are known."""
    parts = [f"95 % CI {_range([row['low'], row['high']])}"] if "low" in row else []
    parts += [f"{name} p {pvalue(row[test])}" for test, name in TESTS.items() if test in row]
    shown = decimals(row["difference"])
    return f"{shown} ({'; '.join(parts)})" if parts else shown


def pvalue(p: float) -> str:
    """Print a p value with its sign of relation: `= 0.034`, `< 0.001`."""
    if not 0.001 <= p <= 0.99:
        return "< 0.001" if p < 0.001 else "> 0.99"
    return f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"


def _range(ends: Sequence[float]) -> str:
    return " to ".join(map(decimals, ends))


def environment(markup: Markup, cited: list[str] | None = None) -> Environment:
    """Make the templates' environment for a markup.

    Every expression of a template is escaped, unless it is `Written`; what stands literally in
    the template is not, so that it must be plain in both markups.

    Args:
        markup: MARKDOWN or LATEX.
        cited: Takes the keys of the references as they are cited.
    """
    made = Environment(
        loader=PackageLoader("hepatoclr.reporting.manuscript"),
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Written) else markup.escape(str(value)),
        autoescape=False,  # noqa: S701  that of Jinja is for HTML; `finalize` is for ours
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def cite(*keys: str) -> Written:
        if cited is not None:
            cited.extend(keys)
        separator = "; " if markup.key else ","
        return Written(markup.cite.format(separator.join(markup.key + key for key in keys)))

    made.globals |= {
        "heading": lambda text: Written(markup.heading.format(markup.escape(text))),
        "strong": lambda text: Written(markup.strong.format(markup.escape(text))),
        "cite": cite,
        "written": Written,
    }
    plain = (number, percent, decimals, words, count, estimate, difference, encoder_label, pvalue)
    made.filters |= {function.__name__: function for function in plain}
    made.filters["protocol"] = lambda name: PROTOCOLS.get(name, name)
    return made


def render(text: str, markup: Markup, known: Mapping, cited: list[str] | None = None) -> str:
    """Write one of `TEXTS` about a run, a line per paragraph.

    Args:
        text: Name of the template.
        markup: MARKDOWN or LATEX.
        known: What `facts` returns.
        cited: Takes the keys of the references that it cites.
    """
    filled = environment(markup, cited).get_template(f"{text}.j2").render(known)
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", filled)]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def references(cited: Sequence[str]) -> str:
    """Give the BibTeX entries that are cited."""
    text = (Path(__file__).parent / "templates" / REFERENCES).read_text(encoding="utf-8")
    entries = {found[1]: found[0] for found in re.finditer(r"(?ms)^@\w+\{(\w+),.*?^\}$", text)}
    return "\n".join(f"{entries[key]}\n" for key in sorted(set(cited)))


def write(known: Mapping, folder: str | Path) -> None:
    """Write all texts about a run, in both markups, and the references that they cite."""
    cited = []
    for markup in (MARKDOWN, LATEX):
        for text in TEXTS:
            written = render(text, markup, known, cited)
            files.write_text(written, Path(folder, f"{text}{markup.suffix}"))
    files.write_text(references(cited), Path(folder, REFERENCES))
