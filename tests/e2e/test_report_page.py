"""The report in a real browser: it works, is readable, and loads nothing from the network."""

import csv
import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from posture_cli.render.findings import FINDING_CSV
from posture_cli.report.collect import FIELDS
from posture_cli.report.pack import unpack
from posture_cli.report.page import render_report
from report_material import material

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not CHROMIUM or not DRIVER, reason="needs chromium and chromedriver (Debian: chromium-driver)"
)
DESKTOP, PHONE = (1280, 900), (390, 844)
FINDINGS = 60
PAGE = 50  # findings
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
        (folder / f"{name}.html").write_text("".join(render_report(about)), encoding="utf-8")
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
    WebDriverWait(browser, 10).until(
        lambda it: it.execute_script("return document.body.dataset.ready")
    )


def log_of(browser: Chrome, name: str) -> list[dict[str, Any]]:
    """Take the entries of a log since the last call."""
    entries: list[dict[str, Any]] = browser.get_log(name)  # type: ignore[no-untyped-call]
    return entries


def packed_rows(browser: Chrome) -> list[dict[str, str]]:
    """Return the rows of all findings that the page lists."""
    packed = browser.execute_script("return document.getElementById('pack-findings').textContent")
    return [dict(zip(FIELDS, row, strict=True)) for row in unpack(packed)]


def shown(browser: Chrome) -> tuple[str, int]:
    """Return the count that the page states, and the number of visible findings."""
    listed = browser.find_elements(By.CSS_SELECTOR, "#list .finding")
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
    run = browser.find_elements(By.CSS_SELECTOR, "script:not([type])")
    assert len(run) == 1
    packed = browser.find_elements(By.CSS_SELECTOR, "script[type]")
    assert {it.get_attribute("type") for it in packed} == {"application/json", "text/plain"}
    assert "<script>document.title='pwned'</script>" in browser.find_element(By.ID, "paths").text
    assert "{{ 7*7 }}" in browser.execute_script("return document.body.textContent")


def test_filters_work(browser: Chrome, pages: dict[str, str]) -> None:
    """By severity, by list, by words; together; and cleared again."""
    opened(browser, pages["hostile"])
    rows = packed_rows(browser)
    everything = len(rows)
    assert shown(browser) == (f"{everything} findings", PAGE)
    boxes = {it.get_attribute("value"): it for it in browser.find_elements(By.NAME, "severity")}
    critical = [row for row in rows if row["severity"] == "critical"]
    expected = len(critical)
    assert 0 < expected < PAGE
    boxes["critical"].send_keys(" ")  # a click does not scroll under emulated metrics
    assert shown(browser) == (f"{expected} of {everything} findings", expected)
    search = browser.find_element(By.ID, "search")
    search.send_keys("DROP pwned")
    meta = browser.execute_script("return document.getElementById('meta').textContent")
    names = json.loads(meta)["names"]
    named = [[*row.values(), *(names.get(it, "") for it in row.values())] for row in critical]
    texts = [" ".join(words).lower() for words in named]
    both = [text for text in texts if "drop" in text and "pwned" in text]
    assert shown(browser)[1] == len(both) > 0
    search.send_keys(" nothing-like-it")
    assert shown(browser)[1] == 0
    assert browser.find_element(By.ID, "none").is_displayed()
    browser.find_element(By.ID, "clear").send_keys(" ")
    assert shown(browser) == (f"{everything} findings", PAGE)
    status = browser.find_element(By.NAME, "status")
    status.send_keys("resolved")
    assert shown(browser)[1] == sum(row["status"] == "resolved" for row in rows) > 0


def test_a_region_is_chosen_for_the_whole_page(browser: Chrome, pages: dict[str, str]) -> None:
    """By its row of the totals or by the filter of the findings: each follows the other."""
    opened(browser, pages["hostile"])
    rows = packed_rows(browser)
    abroad = sum(row["region"] == "us-east-1" for row in rows)
    buttons = {
        it.get_attribute("data-region"): it
        for it in browser.find_elements(By.CSS_SELECTOR, "#regions button")
    }
    assert list(buttons) == ["eu-west-1", "us-east-1", ""]
    buttons["us-east-1"].send_keys(" ")
    assert shown(browser) == (f"{abroad} of {len(rows)} findings", min(abroad, PAGE))
    places = browser.find_elements(By.CSS_SELECTOR, "#places tbody tr")
    assert [each.is_displayed() for each in places].count(True) == 1
    assert not browser.find_elements(By.CSS_SELECTOR, "#networks > *")  # its paths are not stored
    choice = browser.find_element(By.CSS_SELECTOR, "#filters [name=region]")
    assert choice.get_property("value") == "us-east-1"
    choice.send_keys("eu-west-1")
    assert buttons["eu-west-1"].get_attribute("aria-pressed") == "true"
    assert browser.find_elements(By.CSS_SELECTOR, "#networks > *")
    buttons[""].send_keys(" ")
    assert shown(browser)[0] == f"{len(rows)} findings"


def resources(browser: Chrome) -> list[str]:
    """Return the resources that the page of the list shows, in its order."""
    shown = browser.find_elements(By.CSS_SELECTOR, "#list .resource")
    return [str(it.get_attribute("textContent")) for it in shown]


def test_pages_can_be_turned_and_sorted(browser: Chrome, pages: dict[str, str]) -> None:
    """Every finding is on one page, in the order that was chosen."""
    opened(browser, pages["hostile"])
    rows = packed_rows(browser)
    first = resources(browser)
    turn = browser.find_elements(By.CSS_SELECTOR, "#pager button")
    turn[1].send_keys(" ")
    rest = resources(browser)
    assert first + rest == [row["resource"] for row in rows]
    position = browser.find_element(By.CSS_SELECTOR, "#pager span").text
    assert position == f"51 to {len(rows)} of {len(rows)}"
    browser.find_element(By.ID, "sort").send_keys("opened, newest first")
    newest = sorted(rows, key=lambda row: row["opened"], reverse=True)
    assert resources(browser) == [row["resource"] for row in newest[:PAGE]]


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_what_is_shown_can_be_downloaded(
    browser: Chrome, pages: dict[str, str], tmp_path: Path, kind: str
) -> None:
    """As the command line would print it, and only what passes the filters."""
    opened(browser, pages["hostile"])
    critical = [row["id"] for row in packed_rows(browser) if row["severity"] == "critical"]
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    browser.find_element(By.CSS_SELECTOR, "[value=critical]").send_keys(" ")
    browser.find_element(By.ID, kind).send_keys(" ")
    WebDriverWait(browser, 10).until(lambda _: list(tmp_path.glob(f"*.{kind}")))
    (file,) = tmp_path.glob(f"findings-2026-11-24.{kind}")
    text = file.read_text(encoding="utf-8")
    if kind == "json":
        records = json.loads(text)
        assert {"evidence", "remediation", "opened_by", "resolved_by"} <= set(records[0])
    else:
        records = list(csv.DictReader(StringIO(text)))
        assert tuple(records[0]) == FINDING_CSV
    assert [record["id"] for record in records] == critical


def test_paths_are_shown_when_a_vpc_is_opened(browser: Chrome, pages: dict[str, str]) -> None:
    """The first few are open at once."""
    opened(browser, pages["hostile"])
    vpcs = browser.find_elements(By.CSS_SELECTOR, "#networks .network")
    assert [it.get_attribute("open") is not None for it in vpcs] == [True, True]
    tables = browser.find_elements(By.CSS_SELECTOR, "#networks table.heat")
    assert len(tables) == len(vpcs)


def test_it_says_what_needs_its_script(browser: Chrome, pages: dict[str, str]) -> None:
    """Without it, the findings are listed in short."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get("about:blank")
    browser.get(pages["hostile"])
    text = browser.find_element(By.TAG_NAME, "noscript").text
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "need JavaScript. Without it, the page lists all findings." in text
    assert text.count("subnet-") + text.count("Subnet") >= 10


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
    """Every finding with its details, without what only a screen needs; then all is as before."""
    opened(browser, pages["hostile"])
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element(By.TAG_NAME, "nav").is_displayed()
    assert not browser.find_element(By.ID, "filters").is_displayed()
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    bodies = browser.find_elements(By.CSS_SELECTOR, "#list .finding[open] .body")
    assert len(bodies) == len(packed_rows(browser)) > PAGE
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert shown(browser)[1] == PAGE
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    (tmp_path / "report.pdf").write_text(printed["data"])
    assert len(printed["data"]) > 10_000
