"""How long a page of a thousand findings takes to open in Chromium, and how long to write.

Prints seconds; the page is opened five times and the median told.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "builders"))

from posture_cli.report.page import render
from report_material import material

OPENINGS = 5


def browser() -> Chrome:
    """Start a browser."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    return Chrome(options, Service(str(shutil.which("chromedriver"))))


def main() -> None:
    """Measure 1,000 and 5,000 findings."""
    driver = browser()
    for count in (1_000, 5_000):
        about = material(count)
        start = perf_counter()
        page = render(about)
        written = perf_counter() - start
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.html"
            file.write_text(page, encoding="utf-8")
            times = [_opening(driver, file.as_uri()) for _ in range(OPENINGS)]
        print(
            f"{count} findings, {len(page) / 1e6:.1f} MB: written in {written:.2f} s, "
            f"opened in {median(times):.2f} s"
        )
    driver.quit()


def _opening(driver: Chrome, url: str) -> float:
    driver.get("about:blank")
    driver.get(url)
    loaded = driver.execute_script(
        "return performance.getEntriesByType('navigation')[0].loadEventEnd"
    )
    return float(loaded) / 1000


if __name__ == "__main__":
    main()
