"""Runs the commands of remediations in an emulated region, and reads what they lead to."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from moto.ec2.models import ec2_backends

from posture.ec2.observer import Observer
from posture.edits.command_line import parse_command
from posture.edits.created import CREATED, rename_symbols
from posture.edits.parameters import build_parameters
from posture.model.baseline import Baseline
from posture.model.network import Snapshot
from posture.model.scope import Region, Scope
from posture.model.verdict import Status, Verdict
from posture.remedies.prove import SCAN_LIMITS, Prover
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from sample_network import NOW

Bad = Mapping[tuple[str, str], Verdict]


def read_network(ec2: Any, scope: Scope) -> Snapshot:
    """Read one VPC."""
    found = Observer(ec2, Region(scope.account, scope.region), lambda: NOW).collect_vpc(scope)
    assert found is not None
    return found


def evaluate(network: Snapshot, baseline: Baseline) -> tuple[VpcContext, tuple[Verdict, ...]]:
    """Evaluate all rules."""
    context = VpcContext(network, baseline)
    return context, evaluate_context(context)


def select_bad(verdicts: tuple[Verdict, ...]) -> Bad:
    """Return the verdicts that are findings, by rule and resource."""
    bad = (each for each in verdicts if each.status in {Status.FAIL, Status.UNKNOWN})
    return {(each.rule, each.resource): each for each in bad}


def prove(context: VpcContext, verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    """Return the findings whose remediation has a command that is proven."""
    found = Prover(context, verdicts, SCAN_LIMITS).prove_all(select_bad(verdicts).values())
    return [each for each in found.values() if each.remediation and each.remediation.command]


def run_command(ec2: Any, command: str, region: str) -> None:
    """Run a command by boto3, call by call; ids that it creates replace their symbols."""
    names: dict[str, str] = {}
    counts: dict[str, int] = {}
    for edit in parse_command(command, region=region):
        operation = type(edit).__name__
        name = "".join(f"_{each.lower()}" if each.isupper() else each for each in operation)
        params = build_parameters(rename_symbols(edit, names))
        answer = getattr(ec2, name.strip("_"))(**params)
        if created := CREATED.get(type(edit)):
            for part in created.query.split("."):
                answer = answer[part]
            counts[created.prefix] = number = counts.get(created.prefix, 0) + 1
            names[f"{created.prefix}-new-{number}"] = answer
        assert not (isinstance(answer, dict) and answer.get("Unsuccessful")), command


@contextmanager
def restored(account: str, region: str) -> Iterator[None]:
    """Undo everything that is changed in a region of moto's EC2."""
    backend = ec2_backends[account][region]
    kept = copy.deepcopy(backend.__dict__, {id(backend): backend})
    try:
        yield
    finally:
        backend.__dict__.clear()
        backend.__dict__.update(kept)
