"""The report in a real browser: opened from disk, in light and dark, wide, narrow and on paper."""

import re

import example_report
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from example_report import EVIL

from hepatoclr.base import files
from hepatoclr.reporting import report

LAPTOP, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
COST = ["ingest", "pretrain", "linear", "finetune"]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    # settings may be long words, and the run may be called anything
    given = example_report.arguments(folder)
    given["run"] = f"{EVIL} {'long' * 30}"
    given["facts"]["settings"]["weights"] = "/of/no/use" * 30
    files.write_text(report.render_page(**given), folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture
def page(browser, address):
    """The page, just opened; whatever it complained of or asked for fails the test."""
    opened = browser.new_page(viewport=LAPTOP)
    opened.set_default_timeout(10_000)
    complaints, requests = [], []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(address)
    yield opened
    assert not complaints
    assert {url.partition("#")[0] for url in requests if not url.startswith("data:")} == {address}
    opened.close()


def table(page, name):
    return page.locator(f"table[aria-labelledby={name}-caption]")


def column(page, name, number=0):
    """The texts of a column of a table's body, without their small print."""
    cells = table(page, name).locator(f"tbody tr > :nth-child({number + 1})")
    return cells.evaluate_all("cells => cells.map((cell) => cell.firstChild.textContent.trim())")


def order(page, name, head):
    return table(page, name).locator("th", has_text=head).get_attribute("aria-sort")


def test_the_findings_are_seen_first(page):
    found = page.get_by_role("heading", name="Findings").bounding_box()
    assert found["y"] < 400
    assert "weak-SimCLR has the highest AUC, 0.86" in page.locator("#findings").inner_text()
    assert EVIL in page.locator("h1").inner_text()
    assert page.locator("h1 script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_nothing_stands_in_the_way_of_anybody(browser, address, scheme, size):
    # axe brings a script of its own, which the page's policy would not let run
    context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport=size)
    page = context.new_page()
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")
    found = Axe().run(page)
    assert found.response["violations"] == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_methods_stand_out(page, scheme):
    page.emulate_media(color_scheme=scheme)
    contrasts = page.evaluate(
        """() => {
          const canvas = document.createElement("canvas").getContext("2d", {
            willReadFrequently: true,
          });
          const light = (colour) => {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => {
              const share = part / 255;
              return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
          };
          const paper = light(getComputedStyle(document.body).backgroundColor);
          const lines = [...document.querySelectorAll("#roc-curves path")]
            .filter((path) => path.style.strokeDasharray || path.style.strokeWidth > 1)
            .map((path) => getComputedStyle(path).stroke);
          return [...new Set(lines)].map((colour) => {
            const pair = [light(colour), paper].sort((a, b) => a - b);
            return (pair[1] + 0.05) / (pair[0] + 0.05);
          });
        }"""
    )
    # seven colours and ink
    assert len(contrasts) >= 8
    assert min(contrasts) >= 3


def test_figures_have_the_ground_of_the_page_and_pictures_a_white_one(page):
    page.emulate_media(color_scheme="dark")
    channels = """(part) => getComputedStyle(part).{}.match(/[\\d.]+/g).map(Number)""".format
    paper = page.locator("body").evaluate(channels("backgroundColor"))
    assert max(paper) < 40
    ground = page.locator("#roc-patch_1 path").evaluate(channels("fill"))
    assert [round(255 * share) for share in ground] == paper
    assert page.locator("svg.card").evaluate(channels("backgroundColor")) == [255, 255, 255]


@pytest.mark.parametrize("width", [320, 390, 800, 1119, 1280])
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_wide_scrolls_and_only_that_takes_the_focus(page):
    wide = "(region) => [region.scrollWidth > region.clientWidth, region.tabIndex]"
    for size in (PHONE, LAPTOP):
        page.set_viewport_size(size)
        page.wait_for_timeout(100)
        states = [region.evaluate(wide) for region in page.locator(".scroll:visible").all()]
        assert all((tab == 0) == scrolls for scrolls, tab in states)
        assert any(scrolls for scrolls, _ in states) or size == LAPTOP
    page.set_viewport_size(PHONE)
    region = page.get_by_role("region", name="Pretraining methods, as in Table 1")
    region.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert region.evaluate("region => region.scrollLeft") > 0
    # the names of the rows stay in sight
    name = region.locator("tbody th").first.bounding_box()
    assert name["x"] >= region.bounding_box()["x"]


def test_a_click_sorts_numbers_as_numbers(page):
    head = table(page, "cost").get_by_role("button", name="Jobs")
    assert column(page, "cost") == COST
    head.click()
    assert column(page, "cost") == ["pretrain", "linear", "finetune", "ingest"]
    assert order(page, "cost", "Jobs") == "ascending"
    head.click()
    assert column(page, "cost")[0] == "ingest"
    assert order(page, "cost", "Jobs") == "descending"
    head.click()
    assert column(page, "cost") == COST
    assert table(page, "cost").locator("tfoot th").inner_text() == "Total"


def test_what_is_missing_sorts_last(page):
    cost = table(page, "cost")
    cost.get_by_role("button", name="Wall time").click()
    assert column(page, "cost") == ["linear", "ingest", "finetune", "pretrain"]
    memory = cost.get_by_role("button", name="Peak memory")
    memory.click()
    assert column(page, "cost") == ["linear", "finetune", "pretrain", "ingest"]
    memory.click()
    assert column(page, "cost") == ["pretrain", "finetune", "linear", "ingest"]
    assert cost.locator("[aria-sort]").count() == 1


def test_the_keyboard_sorts(page):
    buttons = table(page, "comparisons").get_by_role("button")
    buttons.nth(0).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert order(page, "comparisons", "these models") == "ascending"
    numbers = [
        float(text.replace("\N{MINUS SIGN}", "-")) for text in column(page, "comparisons", 1)
    ]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 3
    buttons.nth(5).focus()
    page.keyboard.press("Space")
    assert column(page, "comparisons", 5)[0] == "< 0.001"


def test_the_contents_lead_everywhere(page):
    assert page.locator("nav a").count() > 15
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip the contents")
    assert skip.evaluate("link => link === document.activeElement")
    assert skip.bounding_box()["x"] >= 0
    page.get_by_role("link", name="Comparisons").focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#comparisons")
    top = "document.querySelector('#comparisons').getBoundingClientRect().top"
    assert 0 <= page.evaluate(top) < 100
    page.wait_for_selector("nav a[href='#comparisons'][aria-current]")
    assert page.locator("nav [aria-current]").count() == 1


def test_what_is_folded_opens_when_it_is_led_to(page):
    window = page.get_by_text("tensors.window")
    assert not window.is_visible()
    page.get_by_role("link", name="Settings").click()
    window.wait_for(state="visible")


def test_on_a_phone_the_contents_are_folded_and_fold_again(page):
    page.set_viewport_size(PHONE)
    link = page.get_by_role("link", name="ROC curves")
    assert not link.is_visible()
    page.get_by_text("Contents", exact=True).click()
    link.click()
    assert not link.is_visible()
    # the heading is not behind the bar of contents
    bar = page.get_by_role("navigation").bounding_box()
    heading = page.get_by_role("heading", name="ROC curves").bounding_box()
    assert bar["y"] + bar["height"] <= heading["y"] < 200


def test_figures_have_a_name_and_a_description(page):
    figures = page.get_by_role("img")
    assert figures.count() == page.locator("figure").count() > 5
    for figure in figures.all():
        text = figure.get_attribute("aria-describedby")
        assert figure.get_attribute("aria-label")
        assert len(page.locator(f"#{text}").inner_text()) > 30


def test_all_is_there_without_scripts(browser, address):
    context = browser.new_context(java_script_enabled=False, viewport=PHONE)
    page = context.new_page()
    page.goto(address)
    assert page.get_by_role("link", name="ROC curves").is_visible()
    assert column(page, "cost") == COST
    assert page.locator("thead button").count() == 0
    page.get_by_text("The configuration, defaults included").click()
    assert page.get_by_text("tensors.window").is_visible()
    context.close()


def test_no_script_but_the_page_s_own_runs(browser, address):
    page = browser.new_page()
    page.goto(address)
    page.evaluate(
        """() => {
          const added = document.createElement("script");
          added.textContent = "document.title = 'changed'";
          document.body.append(added);
        }"""
    )
    assert page.title() != "changed"
    page.close()


def test_on_paper_nothing_is_cut(page):
    page.emulate_media(media="print", color_scheme="dark")
    # A4 less its margins
    page.set_viewport_size({"width": 680, "height": 1000})
    assert not page.get_by_role("navigation").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.get_by_text("tensors.window").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    cut = page.evaluate(
        """() => [...document.querySelectorAll("table:not(.wide), svg")]
          .filter((part) => part.getBoundingClientRect().right > 681)
          .map((part) => part.outerHTML)"""
    )
    assert cut == []
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details[open]").count() == 0


def test_what_is_folded_is_printed_without_scripts_too(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.emulate_media(media="print")
    assert page.get_by_text("tensors.window").is_visible()
    context.close()


def pages_of(pdf):
    """Width and height of each page in points."""
    boxes = re.findall(rb"/MediaBox ?\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    return [tuple(map(round, map(float, box))) for box in boxes]


def test_it_prints_on_a_few_pages(page):
    sizes = pages_of(page.pdf(prefer_css_page_size=True))
    assert 5 <= len(sizes) <= 20
    assert set(sizes) == {(595, 842)}


def test_a_wide_table_prints_in_landscape(browser, tmp_path):
    columns = {f"measure {place}": [0.5] * 3 for place in range(12)}
    tables = {"leakage": pd.DataFrame({"told by": ["a", "b", "c"], **columns})}
    files.write_text(report.render_page("wide", tables, {}), tmp_path / "report.html")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert (842, 595) in pages_of(page.pdf(prefer_css_page_size=True))
    page.close()
