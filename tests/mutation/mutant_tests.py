"""A plugin of pytest for tests of mutants: limits them, and records what a clean run covers.

`LIMIT_SECONDS` of processor time end an endless loop, whatever else the machine does. Properties
try `EXAMPLES`.
`COVERAGE_FILE` receives the seconds of each file of tests and the lines that it runs of `COVERED`.
"""

import json
import os
import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest
from hypothesis import Phase, is_hypothesis_test, settings

BYTES = 6 * 1024**3
IMPORTED = ""  # the context of lines that run while tests are collected


def pytest_configure(config: pytest.Config) -> None:
    """Limit the process, and let Hypothesis find a failure but not simplify it."""
    if limit := os.environ.get("LIMIT_SECONDS"):
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit)))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    settings.register_profile(
        "mutants", phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False
    )
    settings.load_profile("mutants")
    if path := os.environ.get("COVERAGE_FILE"):
        config.pluginmanager.register(_Recorder(Path(path), os.environ["COVERED"]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let properties try as many examples as are asked for."""
    if number := os.environ.get("EXAMPLES"):
        few = settings(settings.get_profile("mutants"), max_examples=int(number))
        for test in {item.obj for item in items if isinstance(item, pytest.Function)}:
            if is_hypothesis_test(test):  # its decorator has decided already
                test._hypothesis_internal_use_settings = few


class _Recorder:
    """Records which file of tests runs which lines, and how long it takes."""

    def __init__(self, path: Path, covered: str) -> None:
        self._path = path
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._coverage = coverage.Coverage(
            data_file=None, include=[f"{covered}/*"], config_file=False
        )
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Let what runs be this file's."""
        name = item.nodeid.partition("::")[0]
        began = time.process_time()
        self._coverage.switch_context(name)
        done = yield
        self._seconds[name] += time.process_time() - began
        return done

    def pytest_sessionfinish(self) -> None:
        """Write what was recorded."""
        self._coverage.stop()
        data = self._coverage.get_data()
        lines = {
            file: {
                str(line): [each for each in names if each != IMPORTED]
                for line, names in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        self._path.write_text(json.dumps({"seconds": self._seconds, "lines": lines}))
