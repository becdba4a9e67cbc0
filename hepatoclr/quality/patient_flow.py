"""Flow of patients: every patient and CT counted from the manifest to the tables.

CLAIM 2024 (doi:10.1148/ryai.240300) and TRIPOD+AI (doi:10.1136/bmj-2023-078378) ask for it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hepatoclr.base import cases, files
from hepatoclr.base.errors import UserError
from hepatoclr.cohorts.cohort_table import TARGETS, targets
from hepatoclr.reporting.colours import BLACK
from hepatoclr.reporting.plots import common

MANIFEST, USED, TABLES = "manifest", "used", "tables"
UNLABELLED = "unlabelled"
# In the order in which a case meets them; checks come last.
STEPS = {
    cases.LABEL: "by label",
    cases.PATIENT: "by patient",
    "ingest": "CT not usable",
    "segment": "no usable liver",
}
EVALUATION = "evaluation"
NOTE = (
    "CTs (patients; a patient is excluded with their last CT)\n"
    "excluded: by the configuration; or not usable, or failed a check"
)
# Inches: widths of boxes on the way and beside it, gap between boxes, line of text, margin.
MAIN, SIDE, GAP, LINE, MARGIN = 1.9, 1.6, 0.3, 0.17, 0.05


def table(
    cohorts: Mapping[str, pd.DataFrame], evaluated: Mapping[str, Collection[str]]
) -> pd.DataFrame:
    """Count cases and patients from the manifests to the tables.

    Args:
        cohorts: Cohort to its table, see `assemble.table`.
        evaluated: Name of an evaluation to the patients that it predicts.

    Returns:
        Rows by cohort and step: cohort, role, step, cases, patients. The steps are manifest,
        those at which cases are excluded (label, patient, ingest, segment, and any flag that
        excluded a case), used, of these positive, negative and, if there are any, unlabelled; for
        the evaluation cohort, tables. A patient is excluded where the last of their cases is, so
        that in cases and in patients the manifest is the sum of the excluded and the used.

    Raises:
        UserError: The patients of an evaluation are not the used ones.
    """
    records = []
    for name, cohort in cohorts.items():
        role = cohort["role"].iloc[0]
        counts = _counts(cohort)
        if role == EVALUATION:
            used = set(cohort.loc[cohort["included"], "patient_id"])
            for evaluation, patients in evaluated.items():
                _check(name, used, evaluation, set(patients))
            counts[TABLES] = counts[USED]
        records += [(name, role, step, *numbers) for step, numbers in counts.items()]
    return pd.DataFrame(records, columns=["cohort", "role", "step", "cases", "patients"])


def _counts(cohort: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Step to cases and patients of one cohort."""
    used, excluded = cohort[cohort["included"]], cohort[~cohort["included"]]
    steps = [*STEPS, *sorted(set(excluded["step"]) - set(STEPS))]
    gone = excluded[~excluded["patient_id"].isin(used["patient_id"])]
    last = gone["step"].map(steps.index).groupby(gone["patient_id"]).max()
    counts = {MANIFEST: (len(cohort), cohort["patient_id"].nunique())}
    for place, step in enumerate(steps):
        counts[step] = int((excluded["step"] == step).sum()), int((last == place).sum())
    counts[USED] = len(used), used["patient_id"].nunique()
    of_cases, of_people = used["target"], targets(used)
    for name, value in TARGETS.items():
        counts[name] = tuple(int((part == value).sum()) for part in (of_cases, of_people))
    if of_cases.isna().any():
        counts[UNLABELLED] = tuple(int(part.isna().sum()) for part in (of_cases, of_people))
    return counts


def _check(cohort: str, used: set[str], evaluation: str, patients: set[str]) -> None:
    """Refuse an evaluation of other patients than the used ones."""
    wrong = [
        f"{len(found)} {what} ({', '.join(sorted(found)[:5])})"
        for found, what in ((used - patients, "are missing"), (patients - used, "are not used"))
        if found
    ]
    if wrong:
        raise UserError(
            f"the patients of {evaluation} are not those of cohorts/{cohort}.csv: "
            f"{' and '.join(wrong)}. Run the evaluation for this cohort."
        )


def evaluated(paths: Iterable[str | Path]) -> dict[str, set[str]]:
    """Read the patients of each protocol and repeat from files of predictions."""
    columns = ["protocol", "repeat", "patient_id"]
    options = {"usecols": columns, "dtype": str, "keep_default_na": False}
    parts = [files.read_csv(path, **options) for path in paths]
    groups = pd.concat(parts).groupby(columns[:2], sort=False)["patient_id"]
    return {f"{protocol}, repeat {n}": set(found) for (protocol, n), found in groups}


def write(flow: pd.DataFrame, path: str | Path) -> None:
    """Write the table."""
    files.write_csv(flow, path)


@matplotlib.rc_context(common.SETTINGS)
def draw(flow: pd.DataFrame, paths: Sequence[str | Path], *, synthetic: bool) -> Figure:
    """Draw the flow, a column per cohort.

    Args:
        flow: What `table` returns.
        paths: Files to write.
        synthetic: Whether a cohort is simulated.
    """
    columns = [
        (f"{name} ({role})", list(_boxes(part.set_index("step"))))
        for (name, role), part in flow.groupby(["cohort", "role"], sort=False)
    ]
    heights = [
        LINE * (1 + max(len(boxes[row][1]) for _, boxes in columns if row < len(boxes)))
        for row in range(max(len(boxes) for _, boxes in columns))
    ]
    pitch = MAIN + SIDE + 2 * GAP
    width, height = pitch * len(columns) - GAP, sum(heights) + GAP * (len(heights) + 1)
    figure = Figure(figsize=(width + 0.2, height + 0.8))
    axes = figure.subplots()
    axes.set(xlim=(-MARGIN, width + MARGIN), ylim=(-height - 2 * LINE, 0), aspect="equal")
    axes.axis("off")
    for column, (title, boxes) in enumerate(columns):
        _column(axes, column * pitch, title, boxes, heights)
    axes.text(0, -height, NOTE, fontsize=7.5, va="top")
    return common.finish(figure, ["synthetic"] if synthetic else [], paths)


def _boxes(counts: pd.DataFrame) -> Iterator[tuple[bool, list[str]]]:
    """The boxes of a cohort, top to bottom: whether at the side, and their lines."""

    def number(step: str) -> str:
        return "{cases} ({patients})".format(**counts.loc[step])

    def excluded(title: str, steps: Iterable[str]) -> list[str]:
        part = counts.loc[[step for step in steps if counts.loc[step, "cases"]]]
        if part.empty:
            return [f"{title}: none"]
        lines = [f"  {STEPS.get(step, step)}: {number(step)}" for step in part.index]
        return ["{}: {cases} ({patients})".format(title, **part.sum(numeric_only=True)), *lines]

    def all_of(step: str) -> str:
        return "{cases} CTs of {patients} patients".format(**counts.loc[step])

    steps = counts.index[1 : counts.index.get_loc(USED)]
    yield False, ["In the manifest", all_of(MANIFEST)]
    yield True, excluded("Excluded by configuration", cases.BY_CONFIGURATION)
    yield True, excluded("Excluded", steps.difference(cases.BY_CONFIGURATION, sort=False))
    classes = [name for name in (*TARGETS, UNLABELLED) if name in counts.index]
    shown = [f"{name}: {number(name)}" for name in classes if counts.loc[name, "cases"]]
    yield False, ["Used", all_of(USED), *shown]
    if TABLES in counts.index:
        yield False, ["In the tables", all_of(TABLES)]


def _column(
    axes: Axes,
    x: float,
    title: str,
    boxes: Sequence[tuple[bool, list[str]]],
    heights: Sequence[float],
) -> None:
    """Draw one cohort: its main boxes below each other, what is excluded beside the arrow."""
    middle, y, last = x + MAIN / 2, -GAP, 0.0
    arrow = {"arrowstyle": "-|>", "color": BLACK, "shrinkA": 0, "shrinkB": 0}
    axes.text(x, -GAP / 3, title, fontweight="bold", va="center")
    for (aside, lines), row in zip(boxes, heights, strict=False):
        left, width = (x + MAIN + GAP, SIDE) if aside else (x, MAIN)
        height = LINE * (1 + len(lines))
        axes.add_patch(Rectangle((left, y - height), width, height, fill=False, linewidth=0.8))
        place = (left + 0.08, "left") if aside else (left + width / 2, "center")
        text = {"ha": place[1], "va": "center", "fontsize": 8}
        axes.text(place[0], y - height / 2, "\n".join(lines), **text)
        if aside:
            ends = (left, y - height / 2), (middle, y - height / 2)
            axes.annotate("", *ends, arrowprops=arrow)
        elif last:
            axes.annotate("", (middle, y), (middle, last), arrowprops=arrow)
        last = last if aside else y - height
        y -= row + GAP
