"""The tools: how each is run, as people run it, and how its answers are read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulated import Emulated
from labelled.case import HOME
from questions import QUESTIONS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEERS = ROOT / ".peers"
ENV = {
    "AWS_ACCESS_KEY_ID": "compared",
    "AWS_SECRET_ACCESS_KEY": "compared",
    "AWS_DEFAULT_REGION": HOME,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_COLOR": "1",
    "PATH": os.environ["PATH"],
    "HOME": tempfile.gettempdir(),
}


@dataclass
class Answers:
    """What a tool says.

    Attributes:
        bad: by question, the resources that it calls bad.
        undecided: by question, those of which it says that it cannot tell.
        silent: the questions that it was asked and gave no answer to, for any resource.
    """

    bad: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    undecided: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    silent: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Took:
    """What one run took: of the tool itself, and of the emulator that answered it."""

    wall: float
    cpu: float
    megabytes: float
    calls: dict[str, int]
    answering: float


class Tool(ABC):
    """A tool; `questions` are those that it is asked, `codes` those it ends with when it ran."""

    name: str
    questions: tuple[str, ...]
    codes: tuple[int, ...]

    @abstractmethod
    def command(self, region: str, folder: Path, questions: Sequence[str]) -> list[str]:
        """Give the command that asks the questions about a region; it may write to the folder."""

    @abstractmethod
    def read(self, output: str, folder: Path, questions: Sequence[str]) -> Answers:
        """Read what it said."""

    def run(
        self, account: Emulated, region: str, questions: Sequence[str] = ()
    ) -> tuple[Answers, Took]:
        """Run it; give its answers, and what it took."""
        asked = [each for each in questions or self.questions if each in self.questions]
        with tempfile.TemporaryDirectory() as folder:
            output, took = timed(account, self.command(region, Path(folder), asked), self.codes)
            return self.read(output, Path(folder), asked), took


def timed(
    account: Emulated, command: Sequence[str], codes: Collection[int] = (0,)
) -> tuple[str, Took]:
    """Run a command against the account; give its output, and what it took.

    Raises:
        SystemExit: it ended otherwise than with one of `codes`.
    """
    account.clear()
    done = subprocess.run(  # noqa: S603 - what is named here
        [sys.executable, str(HERE / "peak.py"), *command],
        env=ENV | {"AWS_ENDPOINT_URL": account.url},
        capture_output=True,
        text=True,
        check=False,
    )
    said, _, told = done.stderr.rpartition("took:")
    took = json.loads(told)
    if took["code"] not in codes:
        raise SystemExit(f"{' '.join(command)}\nended with {took['code']}:\n{said[-3000:]}")
    return done.stdout, Took(
        took["wall"], took["cpu"], took["megabytes"], dict(account.calls), account.answering
    )


class Posture(Tool):
    """`posture scan`."""

    name = "posture"
    questions = tuple(QUESTIONS)
    codes = (0, 1)  # 1: something was found

    def command(self, region: str, folder: Path, questions: Sequence[str]) -> list[str]:
        """Judge by every rule; there is no choosing."""
        del folder, questions
        posture, baseline = str(ROOT / ".venv/bin/posture"), str(HERE / "baseline.yaml")
        return [posture, "scan", "--region", region, "--baseline", baseline, "-o", "json"]

    def read(self, output: str, folder: Path, questions: Sequence[str]) -> Answers:
        """Read its JSON: what fails, and what is unknown."""
        del folder
        answers = Answers()
        for verdict in json.loads(output):
            for name in questions:
                question = QUESTIONS[name]
                if verdict["rule"] in question.rules:
                    resource = verdict["resource"]
                    if question.service:
                        if not resource.endswith(f".{question.service}"):
                            continue
                        resource = verdict["vpc"]
                    status = {"fail": answers.bad, "unknown": answers.undecided}[verdict["status"]]
                    status[name].add(resource)
        return answers


class Prowler(Tool):
    """Prowler, by its checks."""

    name = "Prowler"
    questions = tuple(name for name, each in QUESTIONS.items() if each.checks)
    codes = (0,)

    def command(self, region: str, folder: Path, questions: Sequence[str]) -> list[str]:
        """Ask the checks."""
        checks = [check for name in questions for check in QUESTIONS[name].checks]
        return [
            *(str(PEERS / "prowler/bin/prowler"), "aws", "--region", region),
            *("--checks", *checks, "-M", "json-ocsf", "-o", str(folder), "-F", "report"),
            *("--config-file", str(HERE / "prowler.yaml")),
            *("--no-banner", "--ignore-exit-code-3", "--scan-unused-services"),
        ]

    def read(self, output: str, folder: Path, questions: Sequence[str]) -> Answers:
        """Read its OCSF; a check that breaks off leaves no finding at all."""
        del output
        reports = list(folder.glob("*.ocsf.json"))
        findings: list[dict[str, Any]] = json.loads(reports[0].read_text()) if reports else []
        answers = Answers()
        heard = {finding["metadata"]["event_code"] for finding in findings}
        for name in questions:
            checks = QUESTIONS[name].checks
            if not heard.intersection(checks):
                answers.silent.add(name)
            answers.bad[name] |= {
                finding["resources"][0]["uid"].rsplit("/", 1)[-1]
                for finding in findings
                if finding["metadata"]["event_code"] in checks and finding["status_code"] == "FAIL"
            }
        return answers


class Custodian(Tool):
    """Cloud Custodian, by the policies of custodian.yml."""

    name = "Cloud Custodian"
    questions = tuple(name for name, each in QUESTIONS.items() if each.policy)
    codes = (0, 2)  # 2: a policy broke off

    def command(self, region: str, folder: Path, questions: Sequence[str]) -> list[str]:
        """Run the policies."""
        chosen = [part for name in questions for part in ("-p", QUESTIONS[name].policy)]
        return [
            *(str(PEERS / "custodian/bin/custodian"), "run", "--region", region),
            *("-s", str(folder), "--cache-period", "0", *chosen, str(HERE / "custodian.yml")),
        ]

    def read(self, output: str, folder: Path, questions: Sequence[str]) -> Answers:
        """Read the resources of each policy; one that breaks off leaves no file."""
        del output
        answers = Answers()
        for name in questions:
            found = folder / QUESTIONS[name].policy / "resources.json"
            if not found.exists():
                answers.silent.add(name)
                continue
            answers.bad[name] |= {
                str(each.get("VpcEndpointId") or each.get("ServiceId") or each["VpcId"])
                for each in json.loads(found.read_text())
            }
        return answers


TOOLS: tuple[Tool, ...] = (Posture(), Prowler(), Custodian())
