"""The report of a run: one HTML file that opens from disk, without network.

`SECTIONS` says what stands on the page and in which order. A section of which nothing is given,
or an empty table, is left out: the same page serves a whole run and a table of predictions alone.
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

from hepatoclr.base import cases, files
from hepatoclr.base.version import VERSION, git_state
from hepatoclr.reporting import findings, formatting, html, html_tables, layouts, svg

Table = pd.DataFrame | str | Path


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: Its heading; the address of the part is made of it.
        reading: What to look for, and what not to conclude.
        tables: Name of each of its tables to a caption; `x_*` stands for one of each encoder.
        figures: Name of each of its figures, which come first, to what is drawn there.
        folded: Whether it is closed until opened.
    """

    title: str
    reading: str
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


SECTIONS = [
    Section(
        "Pretraining methods",
        "Compare the intervals, not the means: methods whose intervals overlap widely are not told "
        "apart by this cohort. The published numbers come from other patients, so being near them "
        "is no proof, and being off them no refutation.",
        tables={"table1": "Pretraining methods, as in Table 1 of the paper"},
    ),
    Section(
        "Comparisons",
        "Each method beside random weights and SimCLR on the same patients. An interval that "
        "includes 0 is no evidence of a difference, and no evidence that there is none: look at "
        "the difference that these patients could have shown.",
        tables={"comparisons": "Differences in AUC between methods"},
        figures={
            "comparisons": "Difference in AUC to each reference, a point with its 95 % intervals, "
            "thick for these trained models, thin for the methods, trained anew; what lies in the "
            "shaded band is missed in more than one study of five."
        },
    ),
    Section(
        "Weight of the weak label",
        "A joint loss helps where the curve rises above both of its ends, SimCLR (β = 0) and "
        "supervised (β = 1), by more than its intervals. Here β is picked on the tested patients, "
        "so the best row flatters itself.",
        tables={"table2": "Weights of the weak loss, as in Table 2 of the paper"},
        figures={
            "beta": "AUC and balanced accuracy against the weight β of the weak loss, a line per "
            "evaluation, with 95 % intervals; grey is training from random weights."
        },
    ),
    Section(
        "What was optimism",
        "The drop from a choice made on the tested patients to the same choice made inside the "
        "training folds is what the choice flattered. The nested number is the one to expect of "
        "new patients.",
        tables={"nested": "Fixed choices beside choices made inside the training folds"},
    ),
    Section(
        "Learning curve",
        "A curve still rising at 100 % says that labels, not the method, are the limit. Do not "
        "read values off the curve beyond the patients there are.",
        tables={"learning_curve": "Training from random weights on fewer patients"},
        figures={
            "learning_curve": "AUC of the network trained from random weights on rising shares of "
            "the training patients, with 95 % intervals and the power law fitted to it."
        },
    ),
    Section(
        "ROC curves",
        "Curves that cross say that no method is better at every operating point. Steps are coarse "
        "because a fold holds few patients of the smaller class.",
        figures={
            "roc": "Sensitivity against 1 - specificity, averaged over folds, a line per method "
            "and a panel per evaluation; the diagonal is chance."
        },
    ),
    Section(
        "Calibration",
        "Points on the diagonal mean that predicted risks happen as often as predicted. A method "
        "can rank patients well and still give wrong probabilities; with so few patients only "
        "gross errors can be seen.",
        figures={
            "calibration": "Observed share of positive patients against predicted risk, a line per "
            "method and a panel per evaluation, above the spread of the predictions."
        },
    ),
    Section(
        "Decision curve (exploratory)",
        "The net benefit of acting on a prediction, beside treating all and treating none. "
        "It is no recommendation for patients, least of all from a single cohort.",
        figures={
            "decision_curve": "Net benefit against the risk above which one would act, a line per "
            "method; treating all and treating none beside them."
        },
    ),
    Section(
        "All measures",
        "What depends on the threshold or on the prevalence changes with them: PPV and NPV are "
        "those of this cohort. Out of so many numbers some stand out by chance.",
        tables={"measures": "Measures of every method and evaluation"},
    ),
    Section(
        "From slices to patients",
        "How the predictions of a patient's slices are put together. If the choice moves the AUC "
        "as much as pretraining does, differences between methods are not about pretraining.",
        tables={"aggregation": "AUC by way of putting slices together"},
    ),
    Section(
        "Weak and strong label",
        "How far radiologists and histology agree on the evaluated patients. A weak label that "
        "agrees poorly bounds what pretraining on it can bring.",
        tables={"agreement": "Agreement of the weak with the strong label"},
    ),
    Section(
        "Patient flow",
        "Ask of each number of lost patients whether their loss could depend on the disease: if "
        "it does, the results hold for the others only.",
        tables={"patient_flow": "CTs and patients by step"},
        figures={
            "patient_flow": "Boxes from the manifest to the tables, a column per cohort: CTs and "
            "patients excluded and used."
        },
    ),
    Section(
        "Image quality",
        "Look at the cases that were excluded or flagged before trusting any number above. "
        "A flag is a reason to look, not an error.",
        tables={"cohorts": "Cases of each cohort; names lead to their pictures"},
        figures={
            "preprocessing": "One case on its way to the network: axial slice with the liver's "
            "outline, coronal view with the kept slices, intensities with the window, and the "
            "slice as the network sees it."
        },
    ),
    Section(
        "What the networks look at",
        "Compare the share of a map that lies in the liver with the liver's share of the slice. A "
        "map on the table or the rim is a reason to look for a shortcut; a map inside the liver is "
        "no proof that there is none.",
        figures={
            "explanations_*": "A row per patient: the slice with the liver's outline, the strength "
            "of the gradient, and the change of the prediction when a place is painted over."
        },
    ),
    Section(
        "Feature space",
        "A site or scanner told better than chance is seen by the encoder, whether or not the "
        "prediction uses it. Trust the numbers, computed in all directions, before the pictures; "
        "who lies next to whom stands in tables/neighbours.csv.",
        tables={"separability": "How well features tell stage, site and scanner"},
        figures={
            "feature_space_pca": "Patients on the two directions in which they differ most, a row "
            "per encoder, coloured by what is known of them.",
            "feature_space_umap": "Patients so that near ones stay near (UMAP), a row per encoder; "
            "distances between groups mean nothing.",
        },
    ),
    Section(
        "Leaks and shortcuts",
        "What the order of files, the site or the scanner alone tell of the label: whatever does "
        "better than 0.5 could be learned in place of the disease. That nothing was found does not "
        "rule out what nobody looked for.",
        tables={
            "shortcuts": "What can be told of the label without looking at the liver",
            "leakage": "What was looked for between cohorts and in the splits",
        },
    ),
    Section(
        "Cost",
        "What the run took, by stage. Times depend on the machine and on what else it did.",
        tables={"cost": "Time and memory by stage"},
    ),
    Section(
        "Settings",
        "Every setting in force.",
        tables={"settings": "The configuration, defaults included"},
        folded=True,
    ),
    Section(
        "Versions", "What the numbers depend on.", tables={"versions": "Packages"}, folded=True
    ),
    Section(
        "Provenance",
        "Equal digests mean equal settings and equal predictions.",
        tables={"provenance": "Code, settings and predictions of this run"},
        folded=True,
    ),
]

# Tables that `formatting.of` knows; any other is shown column by column.
RESULTS = {
    *("table1", "table2", "measures", "comparisons", "learning_curve", "nested", "aggregation"),
    "separability",
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
    said = _marks(frames.values())
    return html.render(
        "report.html.j2",
        run=run,
        banners=[text for mark, text in formatting.DISCLAIMERS.items() if mark in said],
        findings=_findings(frames, "permuted" in said),
        basis=findings.basis(None if "permuted" in said else frames.get("table1"), counts),
        sections=sections,
        tables=shown,
        figures=drawn,
        cite=CITE,
    )


def quality(cohorts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Count the cases of each cohort: used, flagged among these, left out, excluded; patients.

    Args:
        cohorts: Cohort to its table, see `assemble.table`.
    """
    rows = []
    for name, cohort in cohorts.items():
        used, lost = cohort[cohort["included"]], cohort[~cohort["included"]]
        left_out = int(lost["step"].isin(cases.BY_CONFIGURATION).sum())
        people = used.drop_duplicates("patient_id")["target"]
        rows.append(
            {
                "cohort": name,
                "cases": len(cohort),
                "used": len(used),
                "used, with flags": int((used["flags"].fillna("") != "").sum()),
                "excluded": len(lost) - left_out,
                "left out": left_out,
                "patients used": len(people),
                "positive": int((people == 1).sum()),
                "negative": int((people == 0).sum()),
                "slices": int(used["slices"].sum()),
            }
        )
    return pd.DataFrame(rows)


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


def _sections(tables: Collection[str], figures: Collection[str]) -> list[Section]:
    """The sections with what is given of each, and one more with what belongs to none."""
    parts = [
        replace(part, tables=_given(part.tables, tables), figures=_given(part.figures, figures))
        for part in SECTIONS
    ]
    rest = [
        {name: name for name in names if not any(name in getattr(part, kind) for part in parts)}
        for kind, names in (("tables", tables), ("figures", figures))
    ]
    parts.append(Section("Others", "What no other section holds.", *rest))
    return [part for part in parts if part.tables or part.figures]


def _given(listed: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Of what a section lists, what is given; `x_*` stands for that of every encoder."""
    found = {}
    for pattern, words in listed.items():
        stem = pattern.removesuffix("*")
        for name in fnmatch.filter(names, pattern):
            encoder = formatting.method_label(name.removeprefix(stem)) if stem != pattern else ""
            found[name] = f"{encoder}: {words[0].lower()}{words[1:]}" if encoder else words
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
    return html_tables.of_frame(frame, links if name == "cohorts" else None)


def _marks(frames: Iterable[pd.DataFrame]) -> set[str]:
    """The disclaimers that tables carry."""
    return {mark for frame in frames if "data" in frame for mark in formatting.disclaimers(frame)}


def _findings(frames: Mapping[str, pd.DataFrame], permuted: bool) -> list[findings.Finding]:
    if "table1" not in frames:
        return []
    if permuted:
        return [findings.control(frames["table1"])]
    return findings.findings(frames["table1"], frames.get("comparisons"))
