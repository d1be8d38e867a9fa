"""The report in a real browser: nothing is fetched, nothing complains, all is there; three widths, light, dark, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import Browser, find_browser, looked
from tests.report.whole_run import whole_run

pytestmark = pytest.mark.skipif(
    find_browser() is None,
    reason="no Chromium here (Debian: apt-get install chromium; or set HYBRIDODE_BROWSER): the page was not looked at",
)
WIDTHS = (360, 820, 1440)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser(str(find_browser())) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return (whole_run(tmp_path_factory.mktemp("whole")) / "report.html").as_uri()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_stands_at_every_width(browser: Browser, page: str, width: int, dark: bool) -> None:
    browser.look(page, width, dark=dark)
    assert browser.complaints == []
    assert browser.requests == [page], "nothing but the page itself is asked for"
    assert browser.run("document.documentElement.scrollWidth") == width, "no scrolling sideways"
    assert looked(browser, "outside") == [], "nothing reaches out of its column"
    figures = looked(browser, "figures")
    assert len(figures) >= 20
    for figure in figures:
        assert figure["marks"] > 0, f"{figure['name']} is empty"
        assert figure["alt"] and figure["caption"], f"{figure['name']} says nothing to who does not see it"
        assert figure["text"] >= 11, f"the text of {figure['name']} is {figure['text']:.1f} px high"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_has_contrast(browser: Browser, page: str, dark: bool) -> None:
    browser.look(page, 1440, dark=dark)
    assert looked(browser, "contrast") == []


def test_it_is_built_for_screen_readers_and_keyboards(browser: Browser, page: str) -> None:
    browser.look(page, 1440)
    assert looked(browser, "rules") == []


def test_a_figure_is_read_zoomed_and_given_back(browser: Browser, page: str) -> None:
    browser.look(page, 1440)
    place: dict[str, Any] = browser.run(PLACE)
    middle = place["y"] + place["height"] / 2
    browser.mouse("mouseMoved", place["x"] + 0.5 * place["width"], middle)
    browser.settle()
    assert "fitted model" in browser.run(READOUT)
    assert browser.run(READOUT).startswith("year 19")
    before = browser.run(TICKS)
    browser.mouse("mousePressed", place["x"] + 0.4 * place["width"], middle, down=True)
    browser.mouse("mouseMoved", place["x"] + 0.6 * place["width"], middle, down=True)
    browser.mouse("mouseReleased", place["x"] + 0.6 * place["width"], middle)
    browser.settle()
    zoomed = browser.run(TICKS)
    assert zoomed != before
    assert browser.run("document.querySelector('#figure-fit_hare').drawing.view")[0] > 0.2
    browser.run("[...document.querySelectorAll('#figure-fit_hare .tools button')].find(b => b.textContent === 'Whole').click()")
    assert browser.run(TICKS) == before


PLACE = """(() => { const f = document.querySelector('#figure-fit_hare');
  f.scrollIntoView({block: 'center', behavior: 'instant'});
  const r = f.querySelector('.plot').getBoundingClientRect(); return {x: r.x, y: r.y, width: r.width, height: r.height}; })()"""
READOUT = "document.querySelector('#figure-fit_hare .readout').textContent"
TICKS = "[...document.querySelectorAll('#figure-fit_hare .frame .tick')].map(t => t.textContent).join(' ')"


def test_a_figure_is_read_and_zoomed_by_keys(browser: Browser, page: str) -> None:
    browser.look(page, 1440)
    browser.run("document.querySelector('#figure-fit_hare .plot').focus()")
    browser.press("ArrowRight")
    first = browser.run(READOUT)
    browser.press("ArrowRight")
    assert first.startswith("year 19")
    assert browser.run(READOUT) != first
    assert browser.run("document.querySelector('#figure-fit_hare .readout').getAttribute('aria-live')") == "polite"
    whole = browser.run(TICKS)
    browser.press("+")
    assert browser.run(TICKS) != whole
    browser.press("0")
    assert browser.run(TICKS) == whole


def test_what_is_read_is_what_the_csv_says(browser: Browser, page: str) -> None:
    """The script knows values only from places on the page: rounding must not show."""
    browser.look(page, 1440)
    for u in (0.1, 0.37, 0.82):
        browser.run(f"document.querySelector('#figure-fit_hare').drawing.read({u})")
        said = browser.run(READOUT)
        time, value = (
            float(part.split()[k].replace("−", "-")) for part, k in ((said.split(" · ")[0], 1), (said.split("model ")[1], 0))
        )
        rows = browser.run("document.querySelector('#figure-fit_hare script').textContent").split("\n")
        curve = [line.split(",") for line in rows if line.startswith("curve")]
        nearest = min(curve, key=lambda cells: abs(float(cells[2]) - time))
        assert value == pytest.approx(float(nearest[3]), rel=2e-3)


def test_series_are_switched_off_and_figures_saved(browser: Browser, page: str) -> None:
    browser.look(page, 1440)
    browser.run("document.querySelectorAll('#figure-fit_hare .key button').forEach(b => b.textContent === 'data' && b.click())")
    hidden = "[...document.querySelectorAll('#figure-fit_hare .marks path')].filter(p => p.style.display === 'none').length"
    assert browser.run(hidden) >= 1
    svg = browser.run("document.querySelector('#figure-fit_hare').drawing.file('hare')")
    assert svg.startswith("<svg") and "var(" not in svg
    labels = browser.run("[...document.querySelectorAll('#figure-fit_hare .tools button:not([hidden])')].map(b => b.textContent)")
    assert labels == ["SVG", "CSV"]


def test_on_paper(browser: Browser, page: str) -> None:
    browser.look(page, 1000, dark=True, paper=True)
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert len(browser.ask("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.7})["data"]) > 20_000
    assert browser.complaints == []


def test_without_scripts_the_figures_are_there(browser: Browser, page: str) -> None:
    browser.ask("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.ask("Page.navigate", {"url": page})
        browser.ask("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.look(page.replace("report.html", "figures/fit_hare.svg"), 820)
        assert browser.complaints == []
        assert browser.run("document.querySelectorAll('path').length") > 5
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", {"value": False})


def test_it_is_light(page: str) -> None:
    """Under 300 kB without the data: style, script and everything that is the same in every report."""
    from hybridode.report.page import TEMPLATES, whole_style

    fixed = len(whole_style()) + sum(len((TEMPLATES / name).read_bytes()) for name in ("chart.js", "report.html"))
    assert fixed < 60_000
    assert len(Path(page.removeprefix("file://")).read_bytes()) < 700_000


FAULTS = """<!doctype html><title></title><h1>a</h1><h3>b</h3><h1>c</h1><p style="color:#aaa" id="x">pale</p><p id="x">wide
<span style="display:inline-block;width:3000px">x</span></p><table><thead><tr><th></th></tr></thead></table><button></button>
<svg width="9" height="9"></svg><a class="skip" href="#nowhere">go</a><script>console.error("no"); fetch("https://example.org/")</script>"""


def test_what_looks_finds_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    """A page full of faults: each is found, so that a silent page is a good one."""
    (tmp_path / "faults.html").write_text(FAULTS)
    browser.look((tmp_path / "faults.html").as_uri(), 820)
    assert len(browser.requests) == 2 and len(browser.complaints) >= 1
    assert browser.run("document.documentElement.scrollWidth") > 820
    assert any(line.startswith("P") for line in looked(browser, "contrast"))
    found = " ".join(looked(browser, "rules"))
    for rule in ("html-has-lang", "document-title", "landmark-one-h1", "heading-order", "duplicate-id", "table-scope", "th-scope",
                 "empty-table-header", "name", "svg-img-alt", "skip-link"):  # fmt: skip
        assert rule in found
