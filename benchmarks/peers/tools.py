"""The tools: how each is run, as a user runs it, and how its answers are read."""

import json
import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emulated import EmulatedAccount
from labelled.case import HOME
from questions import QUESTIONS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PEERS = ROOT / ".peers"
IDS = ("VpcEndpointId", "ServiceId", "RouteTableId", "NetworkAclId", "VpcId")  # Custodian's rows
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "compared",
    "AWS_SECRET_ACCESS_KEY": "compared",
    "AWS_DEFAULT_REGION": HOME,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_COLOR": "1",
    "PATH": os.environ["PATH"],
    "HOME": tempfile.gettempdir(),
}


@dataclass
class ToolAnswers:
    """A tool's answers.

    Attributes:
        bad: by question, the resources that it reports.
        undecided: by question, those that it cannot decide.
        silent: the questions that it did not answer for any resource.
    """

    bad: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    undecided: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    silent: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class RunCost:
    """What one run took: the tool itself, and the emulator that answered it."""

    wall: float
    cpu: float
    megabytes: float
    calls: Mapping[str, int]
    answering: float


class Tool(ABC):
    """A tool, the questions that it can answer, and the exit codes of a complete run."""

    name: str
    questions: tuple[str, ...]
    codes: tuple[int, ...]

    @abstractmethod
    def build_command(self, region: str, folder: Path, questions: Sequence[str]) -> list[str]:
        """Return the command that asks the questions about a region; it may write to the folder."""

    @abstractmethod
    def read_answers(self, output: str, folder: Path, questions: Sequence[str]) -> ToolAnswers:
        """Read the answers from its output and the folder."""

    def run(
        self, account: EmulatedAccount, region: str, questions: Sequence[str] = ()
    ) -> tuple[ToolAnswers, RunCost]:
        """Run it; return its answers, and what it took."""
        asked = [each for each in questions or self.questions if each in self.questions]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            output, cost = run_command(
                account, self.build_command(region, folder, asked), self.codes
            )
            return self.read_answers(output, folder, asked), cost


def run_command(
    account: EmulatedAccount,
    command: Sequence[str],
    codes: Collection[int] = (0,),
    *,
    environment: Mapping[str, str] = ENVIRONMENT,
    **options: Any,
) -> tuple[str, RunCost]:
    """Run a command against the account; return its output, and what it took.

    Raises:
        SystemExit: its exit code is not one of `codes`.
    """
    account.reset_counts()
    done = subprocess.run(  # noqa: S603 - a command of this module
        [sys.executable, str(HERE / "peak.py"), *command],
        env={**environment, "AWS_ENDPOINT_URL": account.url},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    errors, _, measured = done.stderr.rpartition("took:")
    took = json.loads(measured)
    if took["code"] not in codes:
        raise SystemExit(f"{' '.join(command)}\nexit code {took['code']}:\n{errors[-3000:]}")
    return done.stdout, RunCost(
        took["wall"], took["cpu"], took["megabytes"], dict(account.calls), account.answering
    )


class PostureScan(Tool):
    """`posture scan`, which always evaluates every rule."""

    name = "posture"
    questions = tuple(QUESTIONS)
    codes = (0, 1)  # 1: findings

    def build_command(self, region: str, folder: Path, questions: Sequence[str]) -> list[str]:
        """Return the command."""
        del folder, questions
        posture, baseline = str(PEERS / "posture/bin/posture"), str(HERE / "baseline.yaml")
        options = ["--region", region, "--baseline", baseline, "--no-fixes"]
        return [posture, "scan", *options, "-o", "json"]

    def read_answers(self, output: str, folder: Path, questions: Sequence[str]) -> ToolAnswers:
        """Read its JSON: what fails, and what is unknown."""
        del folder
        answers = ToolAnswers()
        for verdict in json.loads(output):
            for name in questions:
                question, resource = QUESTIONS[name], verdict["resource"]
                if verdict["rule"] not in question.rules:
                    continue
                if question.service:
                    if not resource.endswith(f".{question.service}"):
                        continue
                    resource = verdict["vpc"]
                yes = question.possible or verdict["status"] == "fail"
                (answers.bad if yes else answers.undecided)[name].add(resource)
        return answers


class Prowler(Tool):
    """Prowler, by its checks."""

    name = "Prowler"
    questions = tuple(name for name, each in QUESTIONS.items() if each.checks)
    codes = (0,)

    def build_command(self, region: str, folder: Path, questions: Sequence[str]) -> list[str]:
        """Return the command with the questions' checks."""
        checks = [check for name in questions for check in QUESTIONS[name].checks]
        return [
            *(str(PEERS / "prowler/bin/prowler"), "aws", "--region", region),
            *("--checks", *checks, "-M", "json-ocsf", "-o", str(folder), "-F", "report"),
            *("--config-file", str(HERE / "prowler.yaml")),
            *("--no-banner", "--ignore-exit-code-3", "--scan-unused-services"),
        ]

    def read_answers(self, output: str, folder: Path, questions: Sequence[str]) -> ToolAnswers:
        """Read its OCSF; a check that breaks off leaves no finding."""
        del output
        reports = list(folder.glob("*.ocsf.json"))
        findings: list[dict[str, Any]] = json.loads(reports[0].read_text()) if reports else []
        answers = ToolAnswers()
        for name in questions:
            checks = QUESTIONS[name].checks
            found = [each for each in findings if each["metadata"]["event_code"] in checks]
            if not found:
                answers.silent.add(name)
            answers.bad[name] |= {
                each["resources"][0]["uid"].rsplit("/", 1)[-1]
                for each in found
                if each["status_code"] == "FAIL"
            }
        return answers


class Custodian(Tool):
    """Cloud Custodian, by the policies of custodian.yml."""

    name = "Cloud Custodian"
    questions = tuple(name for name, each in QUESTIONS.items() if each.policy)
    codes = (0, 2)  # 2: a policy broke off

    def build_command(self, region: str, folder: Path, questions: Sequence[str]) -> list[str]:
        """Return the command with the questions' policies."""
        chosen = [part for name in questions for part in ("-p", QUESTIONS[name].policy)]
        return [
            *(str(PEERS / "custodian/bin/custodian"), "run", "--region", region),
            *("-s", str(folder), "--cache-period", "0", *chosen, str(HERE / "custodian.yml")),
        ]

    def read_answers(self, output: str, folder: Path, questions: Sequence[str]) -> ToolAnswers:
        """Read the resources of each policy; one that breaks off leaves no file."""
        del output
        answers = ToolAnswers()
        for name in questions:
            found = folder / QUESTIONS[name].policy / "resources.json"
            if not found.exists():
                answers.silent.add(name)
                continue
            answers.bad[name] |= {
                str(next(each[key] for key in IDS if key in each))
                for each in json.loads(found.read_text())
            }
        return answers


TOOLS: tuple[Tool, ...] = (PostureScan(), Prowler(), Custodian())
