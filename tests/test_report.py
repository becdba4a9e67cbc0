"""The report: one file, everything in it, nothing of it taken for markup."""

import re
from html.parser import HTMLParser

import example_predictions
import pandas as pd
import pytest
from example_predictions import METHODS

from hepatoclr import files, layout, metrics, report, tables
from hepatoclr.errors import UserError

SVG = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg" width="9pt">
<defs><clipPath id="clip"/></defs><g id="g" clip-path="url(#clip)"><use xlink:href="#g"/></g>
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
        self.words.append(data)


@pytest.fixture(scope="module")
def predictions():
    return example_predictions.predictions()


@pytest.fixture(scope="module")
def table1(predictions):
    return tables.table1(predictions, METHODS, synthetic=True)


@pytest.fixture
def svg(tmp_path):
    (tmp_path / "figure.svg").write_text(SVG, encoding="utf-8")
    return tmp_path / "figure.svg"


def page(table1, svg, **changes):
    given = {
        "run": "demo",
        "tables": {"Table 1": table1},
        "figures": {"ROC": svg, "Beta": svg},
        "facts": {"Versions": {"python": "3.11"}},
        "synthetic": True,
    }
    return report.html(**given | changes)


def test_the_page_is_well_formed_and_needs_nothing_else(table1, svg):
    text = page(table1, svg)
    read = Reader(text)
    assert read.tags.count("svg") == 2
    assert not {"script", "link", "img", "iframe"} & set(read.tags)
    # The addresses in an SVG name its vocabulary; nothing fetches them.
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!#)', text)
    assert "<?xml" not in text
    assert text.count("<!DOCTYPE") == 1


def test_figures_keep_their_ids_apart(table1, svg):
    text = page(table1, svg)
    ids = Reader(text).ids
    assert len(ids) == len(set(ids)) == 4
    assert 'id="f1-clip"' in text
    assert 'clip-path="url(#f1-clip)"' in text
    assert 'xlink:href="#f1-g"' in text
    assert 'role="img" aria-label="Beta"' in text


def test_the_best_cells_are_marked(table1, svg):
    text = page(table1, svg)
    best = re.findall(r'<td class="best"><strong>(.*?)</strong>', text)
    expected = [c.value for _, cells in layout.of(table1).rows for c in cells if c.best]
    assert best == expected
    assert "<small>paper 0.84 ± 0.05</small>" in text


def test_the_verdict_comes_first():
    table = pd.DataFrame(
        {
            "method": ["none", "weak_simclr-0.5"] * 2,
            "protocol": ["linear"] * 2 + ["finetune"] * 2,
            "n_folds": 5,
            "auc_mean": [0.73, 0.912, 0.8, 0.7],
            "auc_sd": [0.061, 0.05, 0.1, 0.1],
        }
    )
    assert report.verdict(table) == [
        "Best linear AUC: weak-SimCLR 0.5 0.91 ± 0.05 over 5 folds; random weights 0.73 ± 0.06.",
        "Best fine-tuned AUC: None (random weights) 0.80 ± 0.10 over 5 folds.",
    ]


def test_patients_are_counted(table1, svg, predictions):
    words = " ".join(Reader(page(table1, svg, counts=metrics.counts(predictions))).words)
    assert "Tested on 100 patients, 60 positive and 40 negative." in words
    assert "over 5 folds; 100 patients" in words


def test_the_banner_is_there_for_synthetic_cohorts_only(table1, svg):
    banner = f'<p class="banner" role="note">{layout.SYNTHETIC}</p>'
    assert banner in page(table1, svg)
    cohort = table1.assign(data="cohort")
    assert "ynthetic" not in page(cohort, svg, synthetic=False)


def test_everything_is_escaped(table1, svg):
    evil = "<script>alert(1)</script>&\"'"
    other = pd.DataFrame({evil: [evil]})
    named = table1.assign(method=table1["method"].replace("supcon", evil))
    text = page(
        named,
        svg,
        run=evil,
        tables={evil: named, "Other": other},
        figures={evil: svg},
        facts={evil: {evil: evil}, "Cohorts": {evil: {evil: evil}}},
    )
    assert "<script" not in text
    assert "script" not in Reader(text).tags
    assert " ".join(Reader(text).words).count("<script>") >= 9


def test_a_table_is_read_from_its_csv(table1, svg, tmp_path):
    paths = [tmp_path / f"table1.{kind}" for kind in ("csv", "md", "tex")]
    tables.write(table1, *paths, caption="")
    assert page(table1, svg, tables={"Table 1": paths[0]}) == page(table1, svg)


def test_facts_about_several_things_stand_in_one_table(table1, svg):
    cohorts = {"radio": {"patients": 60, "used": 58}, "histo": {"patients": 40, "used": 40}}
    settings = {"tensors": {"window": [-100, 400], "size": 512}, "cutout": False, "site": None}
    text = page(table1, svg, facts={"Cohorts": cohorts, "Settings": settings, "Nothing": {}})
    assert '<tr><td></td><th scope="col">patients</th><th scope="col">used</th></tr>' in text
    assert '<tr><th scope="row">histo</th><td>40</td><td>40</td></tr>' in text
    assert '<tr><th scope="row">tensors.window</th><td>-100, 400</td></tr>' in text
    assert '<tr><th scope="row">cutout</th><td>no</td></tr>' in text
    assert '<tr><th scope="row">site</th><td></td></tr>' in text


def test_the_cost_is_shown_where_it_is_known(table1, svg):
    cost = pd.DataFrame(
        {"stage": ["<ingest>"], "jobs": 1200, "wall_seconds": 5400.0, "core_seconds": 60.0}
        | {"start_up_share": 0.5, "peak_memory_mb": 100.0, "device": "<cpu>"}
        | {"samples_per_second": float("nan")}
    )
    text = page(table1, svg, cost=cost)
    read = Reader(text)
    assert not {"ingest", "cpu"} & set(read.tags)
    assert {"<ingest>", "1,200", "1:30:00", "0:01:00", "50", "<cpu>", "Total"} <= set(read.words)
    assert "<h2>Cost</h2>" in text
    assert "<h2>Cost</h2>" not in page(table1, svg)


def test_without_a_comparison_there_is_no_verdict(predictions, svg):
    curve = tables.learning_curve(predictions, synthetic=True)
    text = page(None, svg, tables={"Learning curve": curve}, figures={}, facts={})
    assert '<div class="verdict">' not in text
    assert "<td>" in text
    Reader(text)


def test_a_figure_must_be_svg(table1, svg):
    svg.write_text("not a drawing")
    with pytest.raises(UserError, match=r"figure\.svg is not an SVG file"):
        page(table1, svg)


def test_the_page_is_written_whole(table1, svg, tmp_path):
    files.write_text(page(table1, svg), tmp_path / "run" / "report.html")
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8") == page(table1, svg)
