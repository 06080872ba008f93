"""The report in a real browser: it works, is readable, and loads nothing from the network."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from posture_cli.report.page import render_report
from report_material import material

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not CHROMIUM or not DRIVER, reason="needs chromium and chromedriver (Debian: chromium-driver)"
)
DESKTOP, PHONE = (1280, 900), (390, 844)
FINDINGS = 60
# The contrast of every text with what is behind it, as WCAG 2.2 reckons it; the worst of all.
# https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
WORST_CONTRAST = """
const curve = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const channel = (c) => curve(c / 255);
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return rgb(getComputedStyle(document.body).backgroundColor);
};
for (const finding of document.querySelectorAll("details")) finding.open = true;
let worst = [99, ""];
for (const node of document.querySelectorAll("main *, nav *, header *, footer *")) {
  const own = [...node.childNodes].some((it) => it.nodeType === 3 && it.textContent.trim());
  if (!own || node.closest("svg") || node.closest("option")) continue;
  const both = [light(rgb(getComputedStyle(node).color)), light(behind(node))];
  const [a, b] = both.sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < worst[0]) worst = [ratio, node.outerHTML.slice(0, 120)];
}
return worst;
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    """Start a browser that keeps a log of what it says and asks for."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Write an empty report, and one whose every name is hostile."""
    folder = tmp_path_factory.mktemp("reports")
    made = {"empty": material(0), "hostile": material(FINDINGS, hostile=True)}
    for name, about in made.items():
        (folder / f"{name}.html").write_text(render_report(about), encoding="utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in made}


def opened(
    browser: Chrome, url: str, size: tuple[int, int] = DESKTOP, scheme: str = "light"
) -> None:
    """Open a page afresh, at a size, by day or by night."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
    for log in ("browser", "performance"):
        log_of(browser, log)
    browser.get("about:blank")
    browser.get(url)


def log_of(browser: Chrome, name: str) -> list[dict[str, Any]]:
    """Take the entries of a log since the last call."""
    entries: list[dict[str, Any]] = browser.get_log(name)  # type: ignore[no-untyped-call]
    return entries


def shown(browser: Chrome) -> tuple[str, int]:
    """Return the count that the page states, and the number of visible findings."""
    listed = browser.find_elements(By.CSS_SELECTOR, ".finding:not([hidden])")
    return browser.find_element(By.ID, "shown").text, len(listed)


@pytest.mark.parametrize("page", ["empty", "hostile"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_opens_in_silence(
    browser: Chrome, pages: dict[str, str], page: str, size: tuple[int, int]
) -> None:
    """No word on the console, no request but for the page itself, nothing wider than the screen."""
    opened(browser, pages[page], size)
    browser.execute_script(
        "document.querySelectorAll('details').forEach((it) => { it.open = true })"
    )
    assert log_of(browser, "browser") == []
    asked = [json.loads(each["message"])["message"] for each in log_of(browser, "performance")]
    urls = {
        it["params"]["request"]["url"]
        for it in asked
        if it["method"] == "Network.requestWillBeSent"
    }
    assert urls <= {pages[page], "about:blank"}
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= size[0]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_labels_of_a_drawing_can_be_read(
    browser: Chrome, pages: dict[str, str], size: tuple[int, int]
) -> None:
    """None is wider than its box, none smaller than small print."""
    opened(browser, pages["hostile"], size)
    labels = browser.execute_script(
        "const room = (it) => it.parentNode.querySelector('rect').width.baseVal.value - 22;"
        "return [...document.querySelectorAll('.map .box text')].map((it) => [it.textContent,"
        " it.getComputedTextLength() - room(it), it.getBoundingClientRect().height])"
    )
    assert len(labels) > 20
    assert [label for label, over, _ in labels if over > 0] == []
    assert min(height for *_, height in labels) >= 11


def test_hostile_names_are_only_text(browser: Chrome, pages: dict[str, str]) -> None:
    """No element is made of them, and none of them runs."""
    opened(browser, pages["hostile"])
    assert browser.title == "VPC endpoint posture: stack posture"
    assert browser.find_elements(By.CSS_SELECTOR, "img, iframe, [onerror], body b script") == []
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 1
    assert "<script>document.title='pwned'</script>" in browser.find_element(By.ID, "paths").text
    assert "{{ 7*7 }}" in browser.execute_script("return document.body.textContent")


def test_filters_work(browser: Chrome, pages: dict[str, str]) -> None:
    """By severity, by list, by words; together; and cleared again."""
    opened(browser, pages["hostile"])
    everything = len(browser.find_elements(By.CLASS_NAME, "finding"))
    assert shown(browser) == (f"{everything} findings", everything)
    boxes = {it.get_attribute("value"): it for it in browser.find_elements(By.NAME, "severity")}
    expected = len(browser.find_elements(By.CSS_SELECTOR, "[data-severity=critical]"))
    boxes["critical"].send_keys(" ")  # a click does not scroll under emulated metrics
    assert shown(browser) == (f"{expected} of {everything} findings", expected)
    search = browser.find_element(By.ID, "search")
    search.send_keys("DROP pwned")
    critical = browser.find_elements(By.CSS_SELECTOR, "[data-severity=critical]")
    texts = [str(it.get_attribute("textContent")).lower() for it in critical]
    both = [text for text in texts if "drop" in text and "pwned" in text]
    assert shown(browser)[1] == len(both)
    search.send_keys(" nothing-like-it")
    assert shown(browser)[1] == 0
    assert browser.find_element(By.ID, "none").is_displayed()
    browser.find_element(By.ID, "clear").send_keys(" ")
    assert shown(browser) == (f"{everything} findings", everything)
    status = browser.find_element(By.NAME, "status")
    status.send_keys("resolved")
    assert shown(browser)[1] == len(
        browser.find_elements(By.CSS_SELECTOR, "[data-status=resolved]")
    )


def test_a_link_to_a_finding_unfolds_it(browser: Chrome, pages: dict[str, str]) -> None:
    """As a mail or a ticket may hold one."""
    opened(browser, pages["hostile"])
    name = browser.find_elements(By.CSS_SELECTOR, ".finding")[7].get_attribute("id")
    opened(browser, f"{pages['hostile']}#{name}")
    assert browser.find_element(By.CSS_SELECTOR, f"#{name} .body").is_displayed()


def test_it_can_be_used_without_a_mouse_or_eyes(browser: Chrome, pages: dict[str, str]) -> None:
    """Every field has a name, every table a caption, every drawing a text, and there is one h1."""
    opened(browser, pages["hostile"])
    unnamed = browser.execute_script(
        "return [...document.querySelectorAll('input, select, button, [tabindex], svg[role=img]')]"
        ".filter((it) => !it.labels?.length && !it.textContent.trim()"
        " && !it.getAttribute('aria-label')).map((it) => it.outerHTML)"
    )
    assert unnamed == []
    tables = browser.find_elements(By.TAG_NAME, "table")
    assert len(browser.find_elements(By.CSS_SELECTOR, "table > caption")) == len(tables)
    assert len(browser.find_elements(By.TAG_NAME, "h1")) == 1
    focused: list[Any] = []
    for _ in range(20):
        browser.switch_to.active_element.send_keys("\ue004")  # the tab key
        focused.append(browser.switch_to.active_element.tag_name)
    assert {"a", "input", "select"} <= set(focused)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_by_day_and_by_night(
    browser: Chrome, pages: dict[str, str], scheme: str
) -> None:
    """Every text has the contrast that WCAG asks for at level AA."""
    opened(browser, pages["hostile"], scheme=scheme)
    ratio, where = browser.execute_script(WORST_CONTRAST)
    assert ratio >= 4.5, where


def test_it_prints(browser: Chrome, pages: dict[str, str], tmp_path: Path) -> None:
    """Without what only a screen needs, on white."""
    opened(browser, pages["hostile"])
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element(By.TAG_NAME, "nav").is_displayed()
    assert not browser.find_element(By.ID, "filters").is_displayed()
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    (tmp_path / "report.pdf").write_text(printed["data"])
    assert len(printed["data"]) > 10_000
