"""Side by side on one emulated account: what each tool finds of what is labelled.

Run: `make compare`, or `.venv/bin/python benchmarks/peers/compare.py [CASES.md]`. Prints a table in
Markdown; with a file, writes every case with its label, the reason and each tool's answer to it.
Peers live in virtual environments of their own under .peers/, which the make target fills.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from emulated import served
from labelled import build
from labelled.case import HOME, Case
from questions import QUESTIONS
from scoring import called, counted, outcome, right
from tools import TOOLS, Answers, Took

Heard = Mapping[str, Mapping[str, Answers]]  # by tool and region
PAPER = "Security Hub, on paper"
SAID = {"bad": True, "good": False, "not told": None}  # by its documentation


def scored(case: Case, answers: Answers) -> str:
    """Give the outcome of a tool's answer to a case."""
    said = called(
        case.resources,
        bad=answers.bad[case.question],
        undecided=answers.undecided[case.question],
        silent=case.question in answers.silent,
    )
    return outcome(bad=case.bad, called_bad=said)


def outcomes(case: Case, heard: Heard) -> dict[str, str]:
    """Give each tool's outcome; a tool that is not asked is missing."""
    told = {
        tool.name: scored(case, heard[tool.name][case.region])
        for tool in TOOLS
        if case.question in tool.questions
    }
    if QUESTIONS[case.question].control:
        told[PAPER] = outcome(bad=case.bad, called_bad=SAID[case.paper])
    return told


def summary(cases: list[Case], heard: Heard) -> Iterator[str]:
    """Give the table of outcomes by question and tool."""
    columns = [*(tool.name for tool in TOOLS), PAPER]
    yield row("question (cases)", *columns)
    yield row(*["---"] * (len(columns) + 1))
    told = [(case, outcomes(case, heard)) for case in cases]
    for question in QUESTIONS:
        mine = [found for case, found in told if case.question == question]
        cells = (
            counted(found[name] for found in mine) if name in mine[0] else "not asked"
            for name in columns
        )
        yield row(f"{question} ({len(mine)})", *cells)
    answers = [[found[name] for _, found in told if name in found] for name in columns]
    yield row(
        f"**right, of those asked** ({len(cases)})",
        *(f"**{right(of)} of {len(of)}**" for of in answers),
    )


def by_case(cases: list[Case], heard: Heard) -> Iterator[str]:
    """Give every case with its label, the reason, and each tool's answer."""
    columns = [tool.name for tool in TOOLS]
    for question, asked in QUESTIONS.items():
        names = [*columns, PAPER] if asked.control else columns
        yield f"\n## {question}\n"
        yield row("set-up", "right answer", "why", *names)
        yield row(*["---"] * (len(names) + 3))
        for case in cases:
            if case.question == question:
                found = outcomes(case, heard)
                yield row(
                    case.name,
                    "yes" if case.bad else "no",
                    case.why,
                    *(WORDS[found.get(name, "")] for name in names),
                )


WORDS = {
    "": "not asked",
    "none": "**no answer**",
    "TP": "yes",
    "TN": "no",
    "FP": "**yes**",
    "FN": "**no**",
}
HEAD = """# Every labelled case

Made by `make compare`; what it comes to is told in [comparison](comparison.md). Wrong answers are
in bold; *no answer* is a check that broke off, or a tool that says it cannot tell. Trusted are the
account itself (111122223333), a partner's (222233334444) and the organisation o-a1b2c3d4e5. The
policies stand in [strangers.yaml](../benchmarks/peers/labelled/strangers.yaml) and
[full_access.yaml](../benchmarks/peers/labelled/full_access.yaml).
"""


def row(*cells: str) -> str:
    """Give a row of a table."""
    return f"| {' | '.join(cells)} |"


def took(name: str, run: Took) -> str:
    """Give a row about what a run took."""
    return row(
        name,
        f"{run.wall:.1f}",
        f"{run.cpu:.1f}",
        f"{run.megabytes:.0f}",
        str(sum(run.calls.values())),
        f"{run.answering:.1f}",
    )


TOOK = (
    row("", "seconds", "own CPU seconds", "peak memory, MB", "API calls", "emulator's CPU seconds"),
    row(*["---"] * 6),
)


def say(text: str) -> None:
    """Tell how far it is, where it disturbs no table."""
    print(text, file=sys.stderr, flush=True)


def main(file: str = "") -> None:
    """Build the account, run the tools, print the tables."""
    heard: dict[str, dict[str, Answers]] = {tool.name: {} for tool in TOOLS}
    runs: dict[str, Took] = {}
    with served() as account:
        say("building the labelled account")
        cases = list(build(account.session))
        asked = {
            region: [case.question for case in cases if case.region == region]
            for region in sorted({case.region for case in cases})
        }
        for tool in TOOLS:
            for region, questions in asked.items():
                say(f"{tool.name}: {region}, {len(questions)} labelled")
                heard[tool.name][region], run = tool.run(
                    account, region, tuple(dict.fromkeys(questions))
                )
                if region == HOME:
                    runs[tool.name] = run
    print("\n".join(summary(cases, heard)), end="\n\n")
    print("\n".join([*TOOK, *(took(name, run) for name, run in runs.items())]))
    if file:
        Path(file).write_text(HEAD + "\n".join(by_case(cases, heard)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
