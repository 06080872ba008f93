"""Measure reports of 5,000 to 50,000 findings: CPU and memory to write one, and to open it.

Each report is written by a process of its own from stored items, which a client reads from files in
the place of DynamoDB: its time is that of the command without the network. Chromium opens it five
times; the median and the memory of its page are printed.

Run: `.venv/bin/python benchmarks/report.py`
"""

import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

import shared_paths  # noqa: F401
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from audit_stage import TableWriter
from posture.model.scope import Scope
from posture.store.attribute_values import serialize
from posture.store.scope_record import coverage_fields
from posture_cli.audit.open_stacks import OpenStacks
from posture_cli.audit.open_tables import CapacityMeter, OpenTables
from posture_cli.report.collect import ReportPeriod
from posture_cli.report.page import render_report
from posture_cli.report.report_data import read_report_data
from report_material import NOW, START, live_through, matrix
from stack_tables import TABLES

SIZES = (5_000, 10_000, 25_000, 50_000)
PER_SCOPE = 100  # findings that are not resolved
OPENINGS = 5
Item = Mapping[str, Any]


class FileClient:
    """Reads stored items from a file for each scope, as a client of DynamoDB would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))

    def query(self, **query: Any) -> Mapping[str, Any]:
        """Answer a query by scope with one page."""
        value = query["ExpressionAttributeValues"][":key"]["S"]
        items = self._load(value)[query["TableName"]] if "/" in value else []
        if ":first" in query["ExpressionAttributeValues"]:
            bounds = (query["ExpressionAttributeValues"][each]["S"] for each in (":first", ":last"))
            first, last = bounds
            sort = query["ExpressionAttributeNames"]["#sort"]
            items = [each for each in items if first <= each[sort]["S"] <= last]
        return {"Items": items}

    def get_item(self, **request: Any) -> Mapping[str, Any]:
        """Return the record of a scope."""
        if "scope" not in request["Key"]:
            return {}
        items = self._load(request["Key"]["scope"]["S"])[request["TableName"]]
        return {"Item": next(it for it in items if it["item"] == request["Key"]["item"])}

    def batch_get_item(self, **request: Any) -> Mapping[str, Any]:
        """Return the records of scopes."""
        ((table, wanted),) = request["RequestItems"].items()
        found = [self.get_item(TableName=table, Key=key)["Item"] for key in wanted["Keys"]]
        return {"Responses": {table: found}}

    def _load(self, scope: str) -> Mapping[str, list[Item]]:
        file = self._folder / f"{scope.replace('/', '_')}.pickle"
        loaded: Mapping[str, list[Item]] = pickle.loads(file.read_bytes())  # noqa: S301 - our own
        return loaded


class _Recorder:
    """Keeps what is written, by table and key."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[str, str], Item]] = defaultdict(dict)

    def put_item(self, **request: Any) -> None:
        """Keep an item."""
        item = request["Item"]
        sort = item["item" if request["TableName"] == TABLES.findings else "entry"]["S"]
        self.tables[request["TableName"]][item["scope"]["S"], sort] = item

    def delete_item(self, **request: Any) -> None:
        """Forget an item."""
        key = request["Key"]
        self.tables[request["TableName"]].pop((key["scope"]["S"], key["item"]["S"]), None)


def list_scopes(count: int) -> list[Scope]:
    """List the scopes of so many findings."""
    return [
        Scope(f"{111122223333 + number % 20}", "eu-west-1", f"vpc-{number:017x}")
        for number in range(count // PER_SCOPE)
    ]


def store_items(folder: Path, count: int) -> None:
    """Store the items of so many findings; half as many are resolved."""
    for number, scope in enumerate(list_scopes(count)):
        recorder = _Recorder()
        writer = TableWriter(recorder)  # type: ignore[arg-type]
        for steps in live_through(number, scope, PER_SCOPE, hostile=False):
            writer.write(scope, steps, steps[0].finding.updated_at)
        tables = {name: [*items.values()] for name, items in recorder.tables.items()}
        (record,) = (it for it in tables["findings"] if it["item"]["S"] == "#head")
        record |= serialize(coverage_fields(matrix(hostile=False)))  # type: ignore[operator]
        for name, key in (("findings", "item"), ("history", "entry")):
            tables[name].sort(key=lambda each, key=key: each[key]["S"])  # type: ignore[misc]
        file = folder / f"{str(scope).replace('/', '_')}.pickle"
        file.write_bytes(pickle.dumps(tables))


def write_report(folder: Path, count: int, file: Path) -> None:
    """Write a report, and print the seconds of CPU and the peak memory of this process in MB."""
    client: Any = FileClient(folder)
    tables = OpenTables(client, TABLES, CapacityMeter(client))
    start = process_time()
    data = read_report_data(
        OpenStacks([tables]),
        [(tables, list_scopes(count))],
        "stack posture",
        ReportPeriod(START - timedelta(days=1), NOW + timedelta(minutes=1)),
    )
    with file.open("w", encoding="utf-8") as page:
        page.writelines(render_report(data))
    seconds = process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.2f} {peak:.0f}")


def start_browser() -> Chrome:
    """Start a headless Chromium."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    return Chrome(options, Service(str(shutil.which("chromedriver"))))


def measure_opening(driver: Chrome, url: str) -> tuple[float, float]:
    """Return the seconds until a page shows its findings, and the MB of its heap."""
    driver.get("about:blank")
    start = perf_counter()
    driver.get(url)
    WebDriverWait(driver, 60, 0.02).until(
        lambda it: it.execute_script("return document.querySelector('#list .finding') !== null")
    )
    seconds = perf_counter() - start
    WebDriverWait(driver, 60).until(
        lambda it: it.execute_script("return document.body.dataset.ready")
    )
    driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    heap = driver.execute_cdp_cmd("Runtime.getHeapUsage", {})
    return seconds, (heap["usedSize"] + heap.get("backingStorageSize", 0)) / 1e6


def main() -> None:
    """Measure and print a line for each size."""
    driver = start_browser()
    print("findings    page MB       CPU s   peak MB   opened s   page's heap MB")
    for count in SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder, file = Path(name), Path(name) / "report.html"
            store_items(folder, count)
            command = [sys.executable, __file__, str(folder), str(count), str(file)]
            seconds, peak = subprocess.check_output(command, text=True).split()  # noqa: S603
            opened = [measure_opening(driver, file.as_uri()) for _ in range(OPENINGS)]
            size = file.stat().st_size / 1e6
        shown, heap = (median(each) for each in zip(*opened, strict=True))
        print(f"{count:8,}{size:11.1f}{seconds:>12}{peak:>10}{shown:11.2f}{heap:17.0f}", flush=True)
    driver.quit()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_report(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
