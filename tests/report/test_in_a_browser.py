"""The page in a real browser: readable at once, on any screen, by anyone, without a network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lsm_verify.report.html import render
from tests.report import browser as chromium
from tests.report import samples

DESKTOP, PHONE = (1280, 800), (390, 844)

CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA): least contrast of text of a usual size."""

CONTRAST_OF = """
const channel = c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
const numbers = text => { const n = text.match(/[0-9.]+/g).map(Number);
  return n.length > 3 ? n : [...n, 1]; };
const behind = e => { for (; e; e = e.parentElement) {
    const c = numbers(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; }
  return null; };
const found = [];
for (const e of document.querySelectorAll('body *')) {
  if (e.closest('details:not([open]) > :not(summary)') || e.closest('.skip')) continue;
  const words = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!words || !e.getClientRects().length) continue;
  const style = getComputedStyle(e);
  const ink = numbers(e instanceof SVGElement ? style.fill : style.color);
  const paper = behind(e);
  const [a, b] = [light(ink), light(paper)].sort((x, y) => y - x);
  found.push([(a + 0.05) / (b + 0.05), e.tagName + '.' + e.className + ': ' + e.textContent]);
}
return found;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.started(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """One page for each verdict, and one with all that may stand beside a report."""
    folder = tmp_path_factory.mktemp("pages")
    paths = {}
    for name in samples.NAMES:
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(samples.page(name), encoding="utf-8")
    return paths


@pytest.mark.parametrize("name", samples.NAMES)
def test_nothing_is_asked_of_a_network_and_nothing_goes_wrong(browser, pages, name):
    chromium.opened(browser, pages[name], DESKTOP)
    assert chromium.console(browser) == []
    asked = [url for url in chromium.requests(browser) if not url.startswith("data:")]
    assert asked == [pages[name].as_uri()]
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert browser.execute_script("return document.scripts.length") == 0


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", samples.NAMES)
def test_the_verdict_and_what_is_wrong_stand_on_the_first_screen(browser, pages, name, size):
    chromium.opened(browser, pages[name], size)
    box = browser.execute_script(
        "const b = document.getElementById('verdict').getBoundingClientRect();"
        "return [b.left, b.top, b.right, b.bottom]"
    )
    assert box[0] >= 0
    assert box[1] >= 0
    assert box[2] <= size[0]
    assert box[3] <= size[1]
    words = browser.execute_script("return document.getElementById('verdict').innerText")
    report = samples.everything()[name][0]
    assert str(report.verdict) in words
    for wanted in samples.on_first_screen(report):
        assert wanted in words


@pytest.mark.parametrize("size", [DESKTOP, PHONE, (320, 640)], ids=["desktop", "phone", "small"])
@pytest.mark.parametrize("name", samples.NAMES)
def test_the_page_never_scrolls_sideways(browser, pages, name, size):
    chromium.opened(browser, pages[name], size)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= size[0]
    out = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.box table, svg')"
        " && e.getClientRects().length && !e.matches('.skip')"
        " && e.getBoundingClientRect().right > innerWidth + 0.5)"
        ".map(e => e.tagName + '.' + e.className)"
    )
    assert out == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", samples.NAMES)
def test_all_words_stand_out_from_their_ground(browser, pages, name, dark):
    chromium.opened(browser, pages[name], DESKTOP, dark=dark)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    found = browser.execute_script(CONTRAST_OF)
    assert len(found) > 50
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") is not dark
    assert [entry for entry in found if entry[0] < CONTRAST] == []


@pytest.mark.parametrize("name", samples.NAMES)
def test_figures_have_words_and_ids_of_their_own(browser, pages, name):
    chromium.opened(browser, pages[name], DESKTOP)
    ids = browser.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    broken = browser.execute_script(
        "const used = [...document.querySelectorAll('svg *')].flatMap(e =>"
        " ['href', 'clip-path'].map(a => e.getAttribute(a)))"
        ".filter(u => u && !u.startsWith('data:')).map(u => u.replace(/^(url[(])?#|[)]$/g, ''));"
        "return [used.length, used.filter(u => !document.getElementById(u))]"
    )
    assert broken[0] > 0
    assert broken[1] == []
    figures = browser.execute_script(
        "return [...document.querySelectorAll('figure')].map(f => [f.querySelector('svg')"
        ".getAttribute('aria-label'), f.querySelector('figcaption').innerText,"
        " f.querySelector('svg').getBoundingClientRect().height])"
    )
    assert len(figures) == samples.panels(samples.everything()[name][0])
    assert all(len(label) > 40 and len(caption) > 40 for label, caption, _ in figures)
    assert all(height > 150 for _, _, height in figures)


def test_the_keyboard_reaches_every_box_and_skips_to_the_checks(browser, pages):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    chromium.opened(browser, pages["pass"], PHONE)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = browser.switch_to.active_element
    assert focused.get_attribute("href").endswith("#checks")
    assert focused.rect["x"] >= 0
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('.box')].map(b => [b.tabIndex,"
        " document.getElementById(b.getAttribute('aria-labelledby')).textContent])"
    )
    assert boxes
    assert all(index == 0 and label for index, label in boxes)


def test_all_sections_are_there_and_the_contents_lead_to_them(browser, pages):
    chromium.opened(browser, pages["all"], DESKTOP)
    wanted = {
        "checks", "gradients", "differences", "maps", "energy", "selftest", "benchmarks",
        "calibration", "claims", "provenance",
    }  # fmt: skip
    found = browser.execute_script(
        "return [...document.querySelectorAll('main > section h2')].map(h => h.parentElement.id)"
    )
    assert wanted <= set(found)
    links = browser.execute_script(
        "return [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
    )
    assert links == [f"#{name}" for name in found]


def test_names_are_words_and_never_markup(browser, tmp_path):
    """A name of a user's model must not become a part of the page."""
    report = samples.everything()["user"][0]
    bad = "<script>alert(1)</script><img src=http://example.org/x.png> $x^{"
    path = tmp_path / "bad.html"
    path.write_text(render(replace(report, case=bad, notes=(bad,))), encoding="utf-8")
    chromium.opened(browser, path, DESKTOP)
    assert chromium.console(browser) == []
    asked = [url for url in chromium.requests(browser) if not url.startswith("data:")]
    assert asked == [path.as_uri()]
    assert browser.execute_script("return document.querySelector('h1').innerText") == bad
    assert browser.execute_script("return document.querySelectorAll('script, img').length") == 0
