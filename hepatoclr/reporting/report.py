"""The report of a run: one HTML file that opens from disk, without network.

`SECTIONS` says what stands on the page and in which order. A section of which nothing is given,
or an empty table, is omitted: the same page serves a whole run and a table of predictions alone.
"""

import fnmatch
import hashlib
import json
import platform
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

import pandas as pd

from hepatoclr.base import cases, files, fingerprint
from hepatoclr.base.version import VERSION, git_state
from hepatoclr.cohorts import cohort_table
from hepatoclr.reporting import findings, formatting, html, html_tables, layouts, svg

Table = pd.DataFrame | str | Path


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: Its heading; the address of the part is made of it.
        tables: Name of each of its tables to a title.
        figures: Name of each of its figures, which come first, to the encoder that it shows, empty
            where it shows all; `x_*` stands for one of each encoder.
        folded: Whether it is closed until opened.
    """

    title: str
    tables: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    folded: bool = False

    @property
    def address(self) -> str:
        """The id of the part."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.title.lower())

    def spoken(self, figure: str) -> str:
        """What a figure is called where it cannot be seen."""
        place, count = list(self.figures).index(figure) + 1, len(self.figures)
        return self.title if count == 1 else f"{self.title}, {place} of {count}"


def _section(title: str, *figures: str, folded: bool = False, **tables: str) -> Section:
    return Section(title, tables, dict.fromkeys(figures, ""), folded)


SECTIONS = [
    _section("Pretraining methods", table1="Pretraining methods, as in Table 1 of the paper"),
    _section("Comparisons", "comparisons", comparisons="Differences in AUC between methods"),
    _section(
        "Weight of the weak label",
        "beta",
        table2="Weights of the weak loss, as in Table 2 of the paper",
    ),
    _section(
        "Nested choices", nested="Fixed choices beside choices made inside the training folds"
    ),
    _section(
        "Learning curve",
        "learning_curve",
        learning_curve="Training from random weights on fewer patients",
    ),
    _section("ROC curves", "roc"),
    _section("Calibration", "calibration"),
    _section("Decision curve (exploratory)", "decision_curve"),
    _section("All measures", measures="Measures of every method and evaluation"),
    _section("From slices to patients", aggregation="AUC by way from slices to patients"),
    _section(
        "External validation",
        "external_drop",
        "external_roc",
        "external_calibration",
        "external_recalibration",
        external="The final models in other hospitals, beside the evaluation cohort",
        hospitals="AUC over hospitals, and what to expect of the next one",
    ),
    _section(
        "Within each hospital",
        folded=True,
        external_comparisons="Differences in AUC between methods, within each hospital",
        recalibration="Calibration, before and after recalibrating on some patients",
    ),
    _section("Weak and strong label", agreement="Agreement of the weak with the strong label"),
    _section("Network and pretraining", "network", "strategy"),
    _section("Patient flow", "patient_flow", patient_flow="CTs and patients by step"),
    _section(
        "Image quality",
        "preprocessing",
        cohorts="Cases of each cohort; names lead to their pictures. Look at those excluded or "
        "flagged before trusting any number",
    ),
    _section("What the networks look at", "explanations_*"),
    _section(
        "Feature space",
        "feature_space_pca",
        "feature_space_umap",
        separability="How well features predict stage, site and scanner",
    ),
    _section(
        "What else tells the label",
        baselines="Predicting the label without any image, and what the best image method adds",
    ),
    _section("Leaks", leakage="What was looked for between cohorts and in the splits"),
    _section("Cost", cost="Time and memory by stage"),
    _section("Settings", folded=True, settings="The configuration, defaults included"),
    _section("Versions", folded=True, versions="Packages that the numbers depend on"),
    _section(
        "Provenance",
        folded=True,
        provenance="Code, settings and predictions of this run; equal digests mean equal content",
    ),
]
CAPTIONS = fingerprint.PROJECT / "rules/captions"  # those of Snakemake's report

# Tables that `layouts.of` knows; any other is shown column by column.
RESULTS = {
    *("table1", "table2", "measures", "comparisons", "learning_curve", "nested", "aggregation"),
    *("separability", "external", "baselines"),
}
CITE = [
    f"HepatoCLR {VERSION}, the HepatoCLR contributors.",
    "E. Sarfati, A. Bône, M.-M. Rohé, P. Gori and I. Bloch: Learning to diagnose cirrhosis from "
    "radiological and histological labels with joint self and weakly-supervised pretraining "
    "strategies. IEEE International Symposium on Biomedical Imaging (ISBI), 2023. arXiv "
    "2302.08427.",
]


def render_page(
    run: str,
    tables: Mapping[str, Table],
    figures: Mapping[str, str | Path],
    facts: Mapping[str, Mapping] | None = None,
    counts: Mapping[str, int] | None = None,
    links: Mapping[str, str] | None = None,
) -> str:
    """Put a run's results into one page.

    Args:
        run: Name of the run.
        tables: Name, as in `SECTIONS`, to the table or its CSV file.
        figures: Name, as in `SECTIONS`, to an SVG file.
        facts: Name, as a table in `SECTIONS`, to what is known, nested at will.
        counts: What `metrics.counts` returns.
        links: Cohort to the page of its images.

    Returns:
        The page, everything that is not markup escaped.

    Raises:
        UserError: A figure is not SVG.
    """
    frames = {name: _frame(table) for name, table in tables.items()}
    frames = {name: frame for name, frame in frames.items() if not frame.empty}
    shown = {name: _grid(name, frame, links) for name, frame in frames.items()}
    shown |= {name: html_tables.of_facts(section) for name, section in (facts or {}).items()}
    sections = _sections(shown, figures)
    drawn = {
        name: svg.inline(figures[name], part.spoken(name), f"{name}-")
        for part in sections
        for name in part.figures
    }
    marked = _disclaimers(frames.values())
    return html.render(
        "report.html.j2",
        run=run,
        banners=[text for name, text in formatting.DISCLAIMERS.items() if name in marked],
        findings=_findings(frames, "permuted" in marked),
        basis=findings.basis(None if "permuted" in marked else frames.get("table1"), counts),
        sections=sections,
        captions={
            name: caption(name) for part in sections for name in (*part.tables, *part.figures)
        },
        tables=shown,
        figures=drawn,
        cite=CITE,
    )


def quality(cohorts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count the cases of each cohort, used and excluded, and its used patients.

    The column unlabelled is there where some patients have no label.

    Args:
        cohorts: Cohort to its table, see `assemble.table`.
    """
    rows = []
    for name, cohort in cohorts.items():
        used, excluded = cohort[cohort["included"]], cohort[~cohort["included"]]
        by_configuration = int(excluded["step"].isin(cases.BY_CONFIGURATION).sum())
        people = cohort_table.targets(used)
        rows.append(
            {
                "cohort": name,
                "cases": len(cohort),
                "used": len(used),
                "used, with flags": int((used["flags"].fillna("") != "").sum()),
                "excluded": len(excluded) - by_configuration,
                "excluded by configuration": by_configuration,
                "patients used": len(people),
                "positive": int((people == 1).sum()),
                "negative": int((people == 0).sum()),
                "unlabelled": int(people.isna().sum()),
                "slices": int(used["slices"].sum()),
            }
        )
    counted = pd.DataFrame(rows)
    return counted if counted["unlabelled"].any() else counted.drop(columns="unlabelled")


def versions() -> dict[str, str]:
    """Versions of what the results depend on."""
    packages = ("torch", "kornia", "scikit-learn", "scipy", "statsmodels", "numpy", "pandas")
    packages += ("totalsegmentator", "simpleitk", "nibabel")
    own = {"hepatoclr": VERSION, "python": platform.python_version()}
    return own | {name: metadata.version(name) for name in packages}


def provenance(settings: Mapping, predictions: Iterable[str | Path]) -> dict[str, str]:
    """Say of which code, settings and predictions the results are.

    Args:
        settings: The configuration in force.
        predictions: The files that the tables are computed from.
    """
    digests = sorted(map(files.sha256, predictions))
    return {
        "code": git_state(Path(__file__).parent),
        "settings, sha256": _digest(json.dumps(settings, sort_keys=True, default=str)),
        f"predictions ({len(digests)} files), sha256": _digest(" ".join(digests)),
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def caption(name: str) -> str:
    """The caption of a table or figure in Snakemake's report; nothing where it has none."""
    stem = "explanations" if name.startswith("explanations_") else name
    path = CAPTIONS / f"{stem}.rst"
    return " ".join(path.read_text(encoding="utf-8").split()) if path.is_file() else ""


def _sections(tables: Collection[str], figures: Collection[str]) -> list[Section]:
    """The sections with what is given of each, and one more with what belongs to none."""
    parts = [
        replace(
            part,
            tables={name: words for name, words in part.tables.items() if name in tables},
            figures=_given(part.figures, figures),
        )
        for part in SECTIONS
    ]
    rest = [
        {name: words for name in names if not any(name in getattr(part, kind) for part in parts)}
        for kind, names, words in (("tables", tables, ""), ("figures", figures, ""))
    ]
    rest[0] = {name: name for name in rest[0]}
    parts.append(Section("Others", *rest))
    return [part for part in parts if part.tables or part.figures]


def _given(listed: Collection[str], names: Collection[str]) -> dict[str, str]:
    """Of the figures that a section lists, those given, each with its encoder if it is of one."""
    found = {}
    for pattern in listed:
        stem = pattern.removesuffix("*")
        for name in fnmatch.filter(names, pattern):
            found[name] = (
                formatting.method_label(name.removeprefix(stem)) if stem != pattern else ""
            )
    return found


def _frame(table: Table) -> pd.DataFrame:
    if isinstance(table, pd.DataFrame):
        return table
    # The encoder "none" is a name; only empty cells are missing. Ids are text.
    ids = {"patient_id": str, "case": str}
    return files.read_csv(table, dtype=ids, keep_default_na=False, na_values=[""])


def _grid(name: str, frame: pd.DataFrame, links: Mapping[str, str] | None) -> html_tables.Grid:
    """Lay a table out, by its kind."""
    if name in RESULTS:
        return html_tables.of_layout(layouts.of(frame))
    if name == "cost":
        return html_tables.of_costs(frame)
    return html_tables.of_frame(frame, links if name == "cohorts" else None)


def _disclaimers(frames: Iterable[pd.DataFrame]) -> set[str]:
    """The disclaimers that tables carry."""
    return {name for frame in frames if "data" in frame for name in formatting.disclaimers(frame)}


def _findings(frames: Mapping[str, pd.DataFrame], permuted: bool) -> list[findings.Finding]:
    if "table1" not in frames:
        return []
    if permuted:
        return [findings.control(frames["table1"])]
    found = findings.findings(frames["table1"], frames.get("comparisons"))
    if "baselines" in frames:
        found += findings.baselines(frames["baselines"])
    if "external" in frames:
        found += findings.external(frames["external"])
    if "hospitals" in frames:
        found.append(findings.hospitals(frames["hospitals"]))
    return found
