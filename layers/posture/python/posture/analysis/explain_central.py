"""Explain step by step how a subnet reaches an endpoint in another VPC, across accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posture.analysis.central.answers import CentralPath, CentralStep, NameAnswer, StepStatus
from posture.analysis.coverage import Analysis, Cell
from posture.analysis.explain_policies import explain_policy
from posture.analysis.step import ExplanationStep
from posture.model.baseline import Baseline

MARKS = {
    StepStatus.HOLDS: "",
    StepStatus.BROKEN: "Broken: ",
    StepStatus.PARTLY: "Only in part: ",
    StepStatus.UNKNOWN: "Unknown: ",
}


def explain_central(
    analysis: Analysis, cell: Cell, baseline: Baseline
) -> Iterator[ExplanationStep]:
    """Explain each name, each path to an interface of a central endpoint, and its policy.

    Interfaces that are reached by the same resources are explained once. The step that decides says
    so, and a resource of another account names it.
    """
    home = analysis.snapshot.scope.account
    deciding = cell.deciding
    for answer in cell.resolution.names:
        yield from _explain_name(answer, deciding, home)
    for paths in _group_paths(cell.central):
        yield _explain_target(paths)
        yield from (_explain_step(each, deciding, home) for each in paths[0].steps)
    central = analysis.shared.central_vpcs if analysis.shared else {}
    for endpoint_id, path in {each.endpoint.id: each for each in cell.central}.items():
        hub = central.get(path.vpc_id)
        if hub and endpoint_id in hub.endpoints:
            yield explain_policy(hub, hub.endpoints[endpoint_id], baseline)


def _explain_name(
    answer: NameAnswer, deciding: CentralStep | None, home: str
) -> Iterator[ExplanationStep]:
    to = ", ".join((*answer.endpoint_ids, *map(str, answer.addresses))) or answer.outcome.value
    leads = to if answer.outcome.value == to else f"{answer.outcome.value}: {to}"
    yield ExplanationStep(
        "name",
        f"{answer.name} leads to {leads}. {_end(answer.why)}",
        {"name": answer.name, "leads_to": answer.outcome.value, "to": to},
    )
    yield from (_explain_step(each, deciding, home) for each in answer.steps)


def _group_paths(paths: tuple[CentralPath, ...]) -> Iterable[list[CentralPath]]:
    """Group paths by the resources that they pass; only blocks of addresses may differ."""
    found: dict[tuple[object, ...], list[CentralPath]] = {}
    for each in paths:
        passed = ((it.kind, it.subject, it.status, it.account) for it in each.steps)
        found.setdefault((each.endpoint.id, *passed), []).append(each)
    return found.values()


def _explain_target(paths: list[CentralPath]) -> ExplanationStep:
    """Name the interfaces that a path leads to, and whether it does."""
    first = paths[0]
    interfaces = ", ".join(
        f"{each.interface.id} ({', '.join(map(str, each.interface.addresses))}, "
        f"{each.interface.zone})"
        for each in paths
    )
    return ExplanationStep(
        "central endpoint",
        f"{first.endpoint.id} is in {first.vpc_id} of account {first.account}. The path to "
        f"{interfaces} {_describe_status(first.status)}:",
        {
            "endpoint": first.endpoint.id,
            "vpc": first.vpc_id,
            "account": first.account,
            "interfaces": ", ".join(each.interface.id for each in paths),
            "status": first.status.value,
        },
    )


def _describe_status(status: StepStatus) -> str:
    return {
        StepStatus.HOLDS: "holds at every step",
        StepStatus.BROKEN: "is broken",
        StepStatus.PARTLY: "holds only in part",
        StepStatus.UNKNOWN: "is not known to its end",
    }[status]


def _explain_step(step: CentralStep, deciding: CentralStep | None, home: str) -> ExplanationStep:
    decides = step == deciding
    owner = f" (account {step.account})" if step.account not in {"", home} else ""
    text = f"{MARKS[step.status]}{_end(step.text.rstrip('.') + owner)}"
    if step.missing and step.missing not in text:
        text += f" Missing: {step.missing}."
    if decides:
        text += " This step decides."
    record = {"subject": step.subject, "status": step.status.value, "account": step.account}
    if step.missing:
        record["missing"] = step.missing
    if decides:
        record["decides"] = "true"
    return ExplanationStep(step.kind.value, text, record)


def _end(text: str) -> str:
    """End a sentence with a full stop, and begin it with a capital letter unless it is an id."""
    text = text.rstrip(".") + "."
    word = text.partition(" ")[0]
    return text[0].upper() + text[1:] if word.isalpha() else text
