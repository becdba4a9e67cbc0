"""The report: one file, everything in it, nothing of it taken for markup."""

import re
from html.parser import HTMLParser

import example_predictions
import example_report
import pandas as pd
import pytest
from example_report import EVIL

from hepatoclr.base import files
from hepatoclr.base.errors import UserError
from hepatoclr.reporting import formatting, html_tables, layouts, report, svg
from hepatoclr.reporting.plots import common
from hepatoclr.reporting.tables import tables

SVG = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="90pt" height="9pt" viewBox="0 0 90 9">
<metadata>who made it</metadata><!-- a comment -->
<defs><clipPath id="clip"/></defs><g id="g" clip-path="url(#clip)"><use xlink:href="#g"/></g>
<path style="fill: #ffffff; stroke: #000000"/><path style="stroke: #b0b0b0; fill: #0072b2"/>
</svg>
"""


class Reader(HTMLParser):
    """Collects tags and text, and complains of tags that are not closed in order."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.words, self.ids = [], [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data.strip())


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    return example_report.arguments(tmp_path_factory.mktemp("report"))


@pytest.fixture
def drawn(tmp_path):
    (tmp_path / "figure.svg").write_text(SVG, encoding="utf-8")
    return tmp_path / "figure.svg"


def small(**changes):
    """A page of Table 1 alone."""
    given = {"run": "demo", "tables": {"table1": example_report.table1()}, "figures": {}}
    return report.render_page(**given | changes)


def headings(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_the_page_is_well_formed_and_needs_nothing_else(everything):
    page = report.render_page(**everything)
    read = Reader(page)
    assert read.tags.count("svg") == len(everything["figures"])
    assert read.tags.count("script") == 1
    assert not {"link", "img", "iframe", "object"} & set(read.tags)
    # The only addresses are inside the page, but for the pages of the images.
    found = set(re.findall(r'(?:src|href)\s*=\s*"(?!#|data:)([^"]*)', page))
    assert found == set(everything["links"].values())
    assert len(read.ids) == len(set(read.ids))


def test_sections_come_in_their_order(everything):
    page = report.render_page(**everything)
    given = [*everything["tables"], *everything["figures"], *everything["facts"]]
    listed = [part for part in report.SECTIONS if {*part.tables, *part.figures} & set(given)]
    assert len(listed) > 15
    assert headings(page) == ["Findings", *(part.title for part in listed), "How to cite"]
    folded = [part for part in report.SECTIONS if part.folded]
    closed = ["Within each hospital", "Settings", "Versions", "Provenance"]
    assert [part.title for part in folded] == closed
    # every section can be reached
    read = Reader(page)
    targets = re.findall(r'<a href="#([^"]*)">', page)
    assert set(targets) <= set(read.ids)
    assert len(targets) == len(headings(page))


def test_what_is_absent_is_omitted():
    page = small()
    assert headings(page) == ["Findings", "Pretraining methods", "How to cite"]
    Reader(page)
    assert headings(small(tables={"measures": pd.DataFrame()})) == ["How to cite"]


def test_what_no_section_lists_is_shown_all_the_same(drawn):
    page = small(tables={"new": pd.DataFrame({"a": [1]})}, figures={"newer": drawn})
    assert headings(page) == ["Others", "How to cite"]
    assert {"new", "newer"} <= set(Reader(page).words)


def test_figures_of_every_encoder_find_their_section(drawn):
    page = small(figures={"explanations_simclr": drawn, "explanations_none": drawn})
    assert headings(page)[2] == "What the networks look at"
    captions = [word for word in Reader(page).words if "What the linear model looked at" in word]
    assert [word.partition(":")[0] for word in captions] == ["SimCLR", "None (random weights)"]


def test_captions_are_those_of_snakemakes_report():
    named = {name for part in report.SECTIONS for name in (*part.tables, *part.figures)}
    without = {"cohorts", "settings", "versions", "provenance", "explanations_*"}
    for name in named - without | {"explanations_simclr"}:
        assert len(report.caption(name)) > 100, name
        assert "{" not in report.caption(name)  # plain text, that both reports can show
    assert "by logistic regression on frozen features (linear)" in small()


def test_predictions_alone_make_a_page():
    jobs = [example_predictions.job("linear", encoder) for encoder in ("none", "simclr")]
    known = pd.concat(jobs, ignore_index=True).assign(protocol="model", leaky=0)
    names = ("table1", "measures", "comparisons")
    computed = tables.all(known)
    page = report.render_page("mine", {name: computed[name] for name in names}, {})
    expected = ["Findings", "Pretraining methods", "Comparisons", "All measures", "How to cite"]
    assert headings(page) == expected
    assert "Models: SimCLR has the highest AUC" in page
    assert "than that of random weights" in page
    Reader(page)


def test_the_best_cells_are_marked(everything):
    page = report.render_page(**everything)
    best = re.findall(r'<td class="number best"><strong>(.*?)</strong>', page)
    expected = [
        cell.value
        for name in ("table1", "table2", "baselines")
        for _, cells in layouts.of(everything["tables"][name]).rows
        for cell in cells
        if cell.best
    ]
    assert best == expected
    assert "<small>paper 0.75 ± 0.75</small>" in page
    assert "<small>[0.77, 0.93]</small>" in page


def test_what_did_not_learn_is_marked_and_named():
    table = example_report.table1()
    page = small(tables={"table1": table.assign(learned=(table["method"] != "supcon").astype(int))})
    assert "SupCon †" in page
    assert "† did not learn, and is never bold" in page
    assert "SupCon did not learn: the loss of its last epoch is not clearly below" in page
    assert "did not learn, and" not in small(tables={"table1": table.assign(learned=1)})


@pytest.mark.parametrize("mark", formatting.DISCLAIMERS)
def test_what_must_be_said_stands_above_all(mark):
    plain = example_report.table1()
    assert 'role="note"' not in small(tables={"table1": plain})
    marked = plain.assign(leaky=1) if mark == "leaky" else plain.assign(data=mark)
    page = small(tables={"table1": marked})
    banner = f'<p class="banner" role="note">{formatting.DISCLAIMERS[mark]}</p>'
    assert page.index(banner) < page.index("<h2>Findings")
    assert page.count(formatting.DISCLAIMERS[mark]) == 1


def test_everything_is_escaped(everything):
    table = example_report.table1()
    named = table.assign(method=table["method"].replace("supcon", EVIL))
    named.loc[named["method"] == EVIL, "auc_mean"] = 0.95
    cohorts = report.quality({EVIL: example_report.cohort("evil", "evaluation")})
    others = {"leakage": pd.DataFrame({EVIL: [EVIL]}), "cost": example_report.cost()}
    others["cost"] = others["cost"].assign(stage=EVIL)
    page = report.render_page(
        EVIL,
        {"table1": named, "cohorts": cohorts, **others},
        everything["figures"],
        {"settings": {EVIL: {EVIL: EVIL}}},
        links={EVIL: f"qc/{EVIL}.html"},
    )
    assert Reader(page).tags.count("script") == 1
    assert "<script>alert" not in page
    assert sum(EVIL in words for words in Reader(page).words) >= 10


def test_a_table_is_read_from_its_csv(tmp_path):
    table = example_report.table1().round(6)
    table.to_csv(tmp_path / "table1.csv", index=False)
    assert small(tables={"table1": tmp_path / "table1.csv"}) == small(tables={"table1": table})
    cost = example_report.cost()
    cost.to_csv(tmp_path / "cost.csv", index=False)
    assert small(tables={"cost": tmp_path / "cost.csv"}) == small(tables={"cost": cost})


def test_ids_keep_their_zeros(tmp_path):
    (tmp_path / "explained.csv").write_text("patient_id,case,liver\n0012,007,0.5\n")
    page = small(tables={"explanations_none": tmp_path / "explained.csv"})
    assert {"0012", "007", "0.50"} <= set(Reader(page).words)


def test_a_control_is_judged_as_such():
    table = example_report.table1(0.5, 0.4, 0.6, data="cohort permuted")
    page = small(tables={"table1": table}, counts={"patients": 9, "positive": 4, "negative": 5})
    assert "The control passed: all 10 AUC intervals cover 0.5." in page
    assert "has the highest AUC" not in page
    assert "was picked after" not in page


def test_figures_keep_their_ids_apart(drawn):
    page = small(figures={"roc": drawn, "beta": drawn})
    ids = Reader(page).ids
    assert len(ids) == len(set(ids))
    assert 'id="beta-clip"' in page
    assert 'clip-path="url(#beta-clip)"' in page
    assert 'xlink:href="#beta-g"' in page
    assert 'role="img" aria-label="ROC curves" aria-describedby="roc-text"' in page
    assert '<figcaption id="roc-text">' in page


def test_figures_take_the_colours_of_the_page(drawn):
    drawing = svg.inline(drawn, "Name", "a-")
    assert "fill: color-mix(in srgb, var(--ink) 0%, var(--paper))" in drawing
    assert "stroke: color-mix(in srgb, var(--ink) 100%, var(--paper))" in drawing
    assert "stroke: color-mix(in srgb, var(--ink) 31%, var(--paper))" in drawing
    assert "fill: var(--blue)" in drawing
    assert "#" not in re.sub(r"url\(#[\w-]*\)|href=\"#[\w-]*\"", "", drawing)
    assert not re.search("who made it|a comment", drawing)


def test_figures_with_pictures_stay_as_they_are(drawn):
    drawn.write_text(SVG.replace("</svg>", '<image xlink:href="data:image/png;base64,"/></svg>'))
    drawing = svg.inline(drawn, "Name", "a-")
    assert "fill: #ffffff; stroke: #000000" in drawing
    assert 'class="card"' in drawing


def test_every_colour_of_the_figures_has_its_shades():
    for colour, line, _ in common.STYLES:
        assert "var(--" in svg._adapted(colour), line
    styles = small()
    for variable in svg.COLOURS.values():
        assert styles.count(f"{variable}: #") == 2


def test_a_figure_must_be_svg(drawn):
    drawn.write_text("not a drawing")
    with pytest.raises(UserError, match=r"figure\.svg is not an SVG file"):
        small(figures={"roc": drawn})


def rows(grid):
    return [[cell.text for cell in cells] for cells in grid.rows]


def test_values_and_their_intervals_share_a_cell():
    frame = pd.DataFrame(
        {"encoder": ["none"], "auc": [0.811], "low": [0.7], "high": [0.9], "n": [1200]}
        | {"size_mean": [-1.5], "size_sd": [0.25], "size_low": [-2.0], "size_high": [-1.0]}
        | {"p_value": [0.0001], "fraction": [0.4], "missing": [None], "data": ["cohort"]}
    )
    grid = html_tables.of_frame(frame)
    assert grid.heads == [
        *("Pretraining", "AUC", "N", "Size", "P value", "Training patients", "Missing"),
    ]
    assert rows(grid) == [
        ["None (random weights)", "0.81", "1,200", "−1.50 ± 0.25", "< 0.001", "40 %", ""]
    ]
    assert [cell.small for cell in grid.rows[0]][1:4] == [["[0.70, 0.90]"], [], ["[−2.00, −1.00]"]]
    assert grid.notes == [html_tables.INTERVAL]


def test_facts_about_several_things_stand_in_one_table():
    cohorts = {"radio": {"patients": 60, "used": 58}, "histo": {"patients": 40, "used": 40}}
    grid = html_tables.of_facts(cohorts)
    assert grid.heads == ["", "patients", "used"]
    assert rows(grid) == [["radio", "60", "58"], ["histo", "40", "40"]]
    settings = {"tensors": {"window": [-100, 400], "size": 512}, "cutout": False, "site": None}
    assert rows(html_tables.of_facts(settings)) == [
        ["tensors.window", "-100, 400"],
        ["tensors.size", "512"],
        ["cutout", "no"],
        ["site", ""],
    ]


def test_cases_are_counted_by_what_became_of_them():
    counted = report.quality({"histo": example_report.cohort("histo", "evaluation")})
    assert counted.to_dict("records") == [
        {"cohort": "histo", "cases": 24, "used": 16, "used, with flags": 1, "excluded": 4}
        | {
            "excluded by configuration": 4,
            "patients used": 8,
            "positive": 4,
            "negative": 4,
            "slices": 480,
        }
    ]
    page = small(tables={"cohorts": counted}, links={"histo": "qc/histo.html"})
    assert '<a href="qc/histo.html">histo</a>' in page


def test_patients_without_a_label_are_counted_where_there_are_any():
    cohort = example_report.cohort("radio", "pretraining")
    some = cohort["patient_id"].isin(cohort["patient_id"].unique()[:6])
    counted = report.quality(
        {"radio": cohort.assign(target=cohort["target"].mask(some)), "histo": cohort}
    )
    assert counted["unlabelled"].tolist()[1] == 0
    assert counted["unlabelled"].tolist()[0] > 0
    classes = counted[["positive", "negative", "unlabelled"]].sum(axis=1)
    assert classes.tolist() == counted["patients used"].tolist()
    assert "unlabelled" not in report.quality({"histo": cohort})


def test_provenance_follows_settings_and_predictions(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    first = report.provenance({"seed": 1}, [tmp_path / "a.csv"])
    assert re.match(r"commit [0-9a-f]{40}|not under version control", first["code"])
    assert first == report.provenance({"seed": 1}, [tmp_path / "a.csv"])
    (tmp_path / "a.csv").write_text("2")
    other = report.provenance({"seed": 2}, [tmp_path / "a.csv"])
    assert [first[key] == other[key] for key in first] == [True, False, False]
    assert list(first)[2] == "predictions (1 files), sha256"


def test_the_page_is_written_whole(tmp_path):
    files.write_text(small(), tmp_path / "run" / "report.html")
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8") == small()
