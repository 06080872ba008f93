"""Measure a report of 1,000 and 5,000 findings: seconds to write it, and to open it in Chromium.

Run: `.venv/bin/python benchmarks/report.py`; the median of five openings.
"""

import shutil
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import shared_paths  # noqa: F401
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from posture_cli.report.page import render_report
from report_material import material

OPENINGS = 5


def start_browser() -> Chrome:
    """Start a headless Chromium."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    return Chrome(options, Service(str(shutil.which("chromedriver"))))


def main() -> None:
    """Measure and print."""
    driver = start_browser()
    for count in (1_000, 5_000):
        about = material(count)
        start = perf_counter()
        page = render_report(about)
        written = perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.html"
            file.write_text(page, encoding="utf-8")
            times = [measure_opening(driver, file.as_uri()) for _ in range(OPENINGS)]
        print(
            f"{count} findings, {len(page) / 1e6:.1f} MB: written in {written:.2f} s, "
            f"opened in {median(times):.2f} s"
        )
    driver.quit()


def measure_opening(driver: Chrome, url: str) -> float:
    """Return the seconds until a page has loaded."""
    driver.get("about:blank")
    driver.get(url)
    loaded = driver.execute_script(
        "return performance.getEntriesByType('navigation')[0].loadEventEnd"
    )
    return float(loaded) / 1000


if __name__ == "__main__":
    main()
