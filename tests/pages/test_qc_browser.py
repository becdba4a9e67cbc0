"""The quality control page in a real browser, opened from disk."""

import example_cohort
import pytest
from example_cohort import ORDER


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return example_cohort.site(tmp_path_factory.mktemp("qc")).as_uri()


@pytest.fixture
def page(browser, address):
    """The page, just opened; whatever it complained of or asked for fails the test."""
    opened = browser.new_page(viewport={"width": 1366, "height": 768})
    opened.set_default_timeout(10_000)
    complaints, requests = [], []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("requestfailed", lambda request: complaints.append(request.url))
    opened.on("dialog", lambda dialog: complaints.append(dialog.message))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(address)
    yield opened
    assert not complaints
    assert all(url.startswith(address.removesuffix(".html")) for url in requests)
    opened.close()


def cases(page):
    """The cases that are shown, in order."""
    return page.locator("tbody tr:visible th").all_text_contents()


def head(page, name):
    return page.locator("thead th").filter(has=page.get_by_role("button", name=name, exact=True))


def test_what_needs_a_look_comes_first(page):
    assert cases(page) == ORDER
    assert page.locator("output").text_content() == "6 of 6 cases shown"


def test_the_pictures_are_shown_and_open(page):
    page.wait_for_load_state("networkidle")
    image = page.locator("img").first
    assert image.evaluate("image => image.complete && image.naturalWidth") == 1200
    image.click()
    assert page.url.endswith("/histo/unread.png")


def test_a_click_sorts(page):
    button = page.get_by_role("button", name="Liver, ml")
    ascending = ["used-2", "cut", "flagged", "label", "used-10", "unread"]
    button.click()
    assert cases(page) == ascending
    assert head(page, "Liver, ml").get_attribute("aria-sort") == "ascending"
    button.click()
    assert cases(page) == ["used-10", "cut", "flagged", "label", "used-2", "unread"]
    assert head(page, "Liver, ml").get_attribute("aria-sort") == "descending"
    button.click()
    assert cases(page) == ORDER
    page.get_by_role("button", name="Liver, HU").click()
    assert cases(page)[:2] == ["flagged", "used-2"]
    assert page.locator("[aria-sort=ascending]").count() == 1


def test_text_sorts_with_its_numbers(page):
    page.get_by_role("button", name="Case").click()
    assert cases(page) == ["cut", "flagged", "label", "unread", "used-2", "used-10"]


def test_the_keyboard_sorts(page):
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert head(page, "Case").get_attribute("aria-sort") == "ascending"
    assert cases(page)[0] == "cut"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert head(page, "Patient").get_attribute("aria-sort") == "ascending"


def test_flags_filter(page):
    page.get_by_label("excluded 2").check()
    assert cases(page) == ["unread", "cut"]
    assert page.locator("output").text_content() == "2 of 6 cases shown"
    page.get_by_label("components 1").check()
    assert cases(page) == ["unread", "cut", "flagged"]
    page.get_by_label("excluded 2").uncheck()
    page.get_by_label("components 1").uncheck()
    page.get_by_label("used, no flag 2").check()
    assert cases(page) == ["used-2", "used-10"]
    page.get_by_role("button", name="Liver, ml").click(click_count=2)
    assert cases(page) == ["used-10", "used-2"]


def test_words_are_searched_in_all_columns(page):
    search = page.get_by_role("searchbox")
    search.fill("MAY cut")
    assert cases(page) == ["cut"]
    search.fill("cut odd")
    assert cases(page) == []
    search.fill("<script>")
    assert cases(page) == ["used-10"]
    search.press("Enter")
    assert cases(page) == ["used-10"]
    page.get_by_label("excluded 2").check()
    assert cases(page) == []
    assert page.locator("output").text_content() == "0 of 6 cases shown"


@pytest.mark.parametrize("width", [390, 800, 1366])
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Slices").click()
    assert cases(page)[:2] == ["unread", "used-2"]


def test_text_stands_out_in_light_and_dark(page):
    for scheme, darker in (("light", "text"), ("dark", "paper")):
        page.emulate_media(color_scheme=scheme)
        brightness = page.evaluate(
            """() => ["color", "backgroundColor"].map((name) => {
              const parts = getComputedStyle(document.body)[name].match(/\\d+/g).map(Number);
              return parts.slice(0, 3).reduce((sum, part) => sum + part) / 3;
            })"""
        )
        text, paper = brightness
        assert abs(text - paper) > 150
        assert (text < paper) == (darker == "text")


def test_all_cases_are_shown_without_scripts(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert cases(page) == ORDER
    assert not page.get_by_role("searchbox").is_visible()
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
