"""What a change of the shared network does to the central VPCs whose snapshots it changes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from posture.lean_dataclass import dataclass
from posture.model.baseline import Baseline
from posture.model.shared_network import SharedNetwork
from posture.model.verdict import Verdict
from posture.remedies.changed_rules import evaluate_changed
from posture.remedies.effect import Effect, compare_contexts
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture.rules.trial import get_network

KEPT = 4  # central VPCs whose verdicts are kept: many VPCs are evaluated beside the same ones


@dataclass(frozen=True, slots=True)
class CentralEffect:
    """What a change does to a central VPC, and how many answers were evaluated for it."""

    effect: Effect
    answers: int


@dataclass(frozen=True, slots=True)
class _Evaluated:
    context: VpcContext
    verdicts: tuple[Verdict, ...]


_EVALUATED: deque[_Evaluated] = deque(maxlen=KEPT)


def find_central_effects(before: VpcContext, shared: SharedNetwork) -> Iterator[CentralEffect]:
    """Find what a change does to the central VPCs other than the one that was asked about.

    They are evaluated by the baseline of that VPC, as the one of their own is not known here.

    Args:
        before: The VPC that was asked about, before the change.
        shared: The shared network after the change.
    """
    network = get_network(before)
    if network is None or shared is network:
        return
    for vpc_id, snapshot in sorted(shared.central_vpcs.items()):
        if vpc_id == before.snapshot.vpc.id or snapshot is network.central_vpcs.get(vpc_id):
            continue
        former = _evaluate(network, vpc_id, before.baseline)
        after = VpcContext(snapshot, before.baseline, former=former.context, shared=shared)
        verdicts = evaluate_changed(former.context, after, former.verdicts)
        effect = compare_contexts(former.context, after, former.verdicts, verdicts)
        cells = len(after.analysis.subnets) * len(after.coverage.services)
        yield CentralEffect(effect, cells + len(verdicts))


def _evaluate(shared: SharedNetwork, vpc_id: str, baseline: Baseline) -> _Evaluated:
    """Evaluate a central VPC before a change; its verdicts need no remediation."""
    for each in _EVALUATED:
        known = each.context
        if (
            known.shared is shared
            and known.snapshot.vpc.id == vpc_id
            and known.baseline == baseline
        ):
            return each
    context = VpcContext(shared.central_vpcs[vpc_id], baseline, proposes=False, shared=shared)
    found = _Evaluated(context, tuple(evaluate_context(context)))
    _EVALUATED.append(found)
    return found
