"""The quality control page: what it says of which case, in which order, and nothing as markup."""

import re
from html.parser import HTMLParser

import example_cohort
import pandas as pd
from example_cohort import EVIL, ORDER

from hepatoclr.cohorts import cohort_table
from hepatoclr.quality import qc_page
from hepatoclr.reporting import formatting


class Reader(HTMLParser):
    """Collects tags, the text of table cells, and what refers to other files."""

    VOID = frozenset({"meta", "img", "input"})

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.rows, self.links = [], [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def page(rows=None, **changes):
    given = {"run": "study", "cohort": "histo", "synthetic": False, **changes}
    return qc_page.render_page(rows=rows or example_cohort.rows(), **given)


def table(text):
    """The table of a page, by case."""
    header, *rows = Reader(text).rows
    return pd.DataFrame(rows, columns=header).set_index("Case")


def test_what_needs_a_look_comes_first():
    assert table(page()).index.tolist() == ORDER


def test_the_page_counts_the_cases():
    text = page()
    tally = "3 of 6 cases used; 1 excluded by the configuration; 2 excluded: 1 ingest, 1 truncated"
    assert f'<p class="tally">{tally}</p>' in text
    boxes = re.findall(r'value="(.*?)"> (.*?)</label>', text)
    assert [words for _, words in boxes] == [
        *("excluded 2", "components 1", "thickness 1", "truncated 1"),
        *("used, no flag 2", "excluded by configuration 1"),
    ]
    assert all(words.startswith(tag) for tag, words in boxes)


def test_cases_used_without_a_label_are_counted():
    rows = [{**row, "target": "", "label": ""} for row in example_cohort.rows()]
    boxes = re.findall(r'value="(.*?)"> (.*?)</label>', page(rows))
    assert ("used without a label", "used without a label 3") in boxes
    assert "used without a label" not in page()


def test_each_case_says_whether_it_is_used_or_why_not():
    status = table(page())["Used or why not"]
    assert status.to_dict() == {
        "unread": "excluded (ingest) slices are missing",
        "cut": "excluded (truncated) it may be cut off",
        "flagged": "used",
        "used-2": "used",
        "used-10": "used",
        "label": "excluded by configuration (label) label odd is excluded",
    }


def test_numbers_are_whole_and_missing_ones_empty():
    found = table(page())
    assert found["Liver, ml"].tolist() == ["", "1500", "1500", "901", "2000", "1500"]
    assert found["Liver, HU"].tolist() == ["", "100", "-20", "-5", "100", "100"]
    assert found.loc["flagged", ["Flags", "Remarks"]].tolist() == [
        "components; thickness",
        "in pieces; thickness differs",
    ]


def test_columns_without_content_are_omitted():
    assert not {"Scan", "Site", "Phase"} & set(table(page()))
    rows = example_cohort.rows()
    rows[3]["site"] = "north"
    assert table(page(rows))["Site"].to_dict()["flagged"] == "north"


def test_everything_is_escaped():
    text = page(run=EVIL, cohort=EVIL)
    read = Reader(text)
    assert read.tags.count("script") == 1
    assert table(text).loc["used-10", "Patient"] == EVIL
    assert text.count("<script>") == 1
    assert "alert(1)</script>" not in text


def test_pictures_are_found_beside_the_page_and_nothing_elsewhere():
    rows = example_cohort.rows()
    rows[0]["case"] = "+p+atient_207~+ct_201"
    links = Reader(page(rows)).links
    assert len(links) == 2 * len(rows)
    assert links.count("histo/%2Bp%2Batient_207~%2Bct_201.png") == 2
    assert all(re.fullmatch(r"histo/[\w%~-]+\.png", link) for link in links)


def test_only_synthetic_cohorts_have_the_banner():
    assert formatting.SYNTHETIC in page(synthetic=True)
    assert "ynthetic" not in page()


def test_a_cohort_without_flags_and_with_all_cases_used():
    text = page([row for row in example_cohort.rows() if row["case"].startswith("used")])
    assert "2 of 2 cases used</p>" in text
    assert not {"Flags", "Remarks"} & set(table(text))


def test_a_cohort_s_table_is_read_as_it_was_written(tmp_path):
    frame = pd.DataFrame(example_cohort.rows()).assign(patient_id="007")
    cohort_table.write(frame, tmp_path / "histo.csv")
    rows = qc_page.read(tmp_path / "histo.csv")
    assert [row["patient_id"] for row in rows] == ["007"] * 6
    assert page(rows) == page([{**row, "patient_id": "007"} for row in example_cohort.rows()])


def test_thousands_of_cases_stay_a_small_page():
    rows = [{**example_cohort.rows()[3], "case": f"case-{i}"} for i in range(2800)]
    assert len(page(rows)) < 3e6
