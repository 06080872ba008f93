"""Reads the network of a finding as it is now, and proves its remediation on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.ec2.observer import Observer
from posture.edits.apply import apply_edits
from posture.edits.command_line import parse_command
from posture.edits.created import CREATED, rename_symbols
from posture.edits.edit import Edit
from posture.edits.format import format_sequence, name_operation
from posture.edits.operations.endpoints import CreateVpcEndpoint
from posture.edits.operations.security_groups import CreateSecurityGroup
from posture.edits.state import NetworkState, apply_to_state
from posture.errors import EditError, RefusedEditError
from posture.model.endpoint_service import EndpointServiceSnapshot
from posture.model.network import Snapshot
from posture.model.scope import Scope
from posture.model.shared_network import SharedNetwork
from posture.model.verdict import Remediation, Verdict
from posture.remedies.effect import GOOD, select_worst
from posture.remedies.prove import SCAN_LIMITS, AnyContext, Prover
from posture.rules.contexts import EndpointServiceContext, VpcContext
from posture.rules.engine import evaluate_context, evaluate_endpoint_service
from posture_cli.comparison.compare import Comparison, SharedComparison, compare_snapshots
from posture_cli.failure import CommandError
from posture_cli.live import UnreadableServices, collect_endpoint_services, collect_vpcs

AnySnapshot = Snapshot | EndpointServiceSnapshot
# EC2's codes for a call whose effect is there already: the group, rule, route or entry exists, or
# what is to be removed does not.
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
DONE_CODES = (".Duplicate", "AlreadyExists", ".NotFound")


class UnprovenError(CommandError):
    """A remediation is not proven on the network as it is now; the message says why."""


@dataclass(frozen=True, slots=True)
class Network:
    """A VPC or an endpoint service as it was just read, with the verdicts on it."""

    snapshot: AnySnapshot
    context: AnyContext
    verdicts: tuple[Verdict, ...]

    @property
    def scope(self) -> Scope:
        """What was read."""
        return self.snapshot.scope

    @property
    def shared(self) -> SharedNetwork | None:
        """The network that VPCs share; None where it is not read."""
        return self.context.shared if isinstance(self.context, VpcContext) else None

    def list_central(self) -> tuple[Snapshot, ...]:
        """List the other VPCs whose endpoints are central."""
        central = self.shared.central_vpcs if self.shared else {}
        return tuple(each for each in central.values() if each.scope != self.scope)

    def find_bad(self, rule: str, resource: str) -> Verdict | None:
        """Return the verdict that fails or is unknown; None if there is none."""
        return self.bad.get((rule, resource))

    def find_good(self, rule: str, resource: str) -> Verdict | None:
        """Return a verdict that passes or does not apply."""
        return next(
            (
                each
                for each in self.verdicts
                if (each.rule, each.resource) == (rule, resource) and each.status in GOOD
            ),
            None,
        )

    @property
    def bad(self) -> Mapping[tuple[str, str], Verdict]:
        """The verdicts that fail or are unknown, by rule and resource."""
        return select_worst(each for each in self.verdicts if each.status not in GOOD)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A remediation that is proven on the network as it is now.

    Attributes:
        network: The network that it is proven on.
        verdict: The verdict that it resolves, with the command that remains to be run.
        edits: The calls of the command, in their order.
        done: What of the recorded command is done already, as an earlier run leaves it.
        effect: What the calls do.
        accounts: The account that each call runs in.
    """

    network: Network
    verdict: Verdict
    edits: tuple[Edit, ...]
    done: tuple[Edit, ...]
    effect: Comparison
    accounts: tuple[str, ...] = ()

    @property
    def foreign(self) -> tuple[str, ...]:
        """The calls that run in another account, each with the account."""
        own = self.network.scope.account
        return tuple(
            f"{name_operation(type(edit))} in account {account or '(unknown)'}"
            for edit, account in zip(self.edits, self.accounts, strict=True)
            if account != own
        )

    @property
    def remediation(self) -> Remediation:
        """The remediation that is proven."""
        assert self.verdict.remediation  # noqa: S101 - built with one
        return self.verdict.remediation

    def is_same(self, other: Proposal) -> bool:
        """Whether another proposal, on a later snapshot, makes the same calls to the same end."""
        here, there = self.network.snapshot, other.network.snapshot
        return (
            replace(here, observed_at=there.observed_at) == there
            and (self.edits, self.verdict) == (other.edits, other.verdict)
        )  # fmt: skip


def read_network(observer: Observer, scope: Scope, document: BaselineDocument) -> Network:
    """Read a VPC or an endpoint service, and evaluate it.

    Raises:
        CommandError: It does not exist, or the baseline exempts it.
        ScopeUnreadableError: The caller may not read it.
    """
    if scope.vpc_id:
        snapshot: AnySnapshot = next(iter(collect_vpcs([observer], [scope.vpc_id])))
    else:
        snapshot = _find_service(collect_endpoint_services([observer]), scope)
    network = evaluate_network(snapshot, document)
    if network is None:
        raise CommandError(f"{scope} is exempt by the baseline")
    return network


def evaluate_network(
    snapshot: AnySnapshot, document: BaselineDocument, shared: SharedNetwork | None = None
) -> Network | None:
    """Evaluate a snapshot, with the network that VPCs share; None if the baseline exempts it."""
    tags = snapshot.vpc.tags if isinstance(snapshot, Snapshot) else snapshot.tags
    baseline = resolve_baseline(document, snapshot.scope, tags)
    if baseline.exempt:
        return None
    if isinstance(snapshot, Snapshot):
        context = VpcContext(snapshot, baseline, shared=shared)
        return Network(snapshot, context, tuple(evaluate_context(context)))
    verdicts = evaluate_endpoint_service(snapshot, baseline)
    return Network(snapshot, EndpointServiceContext(snapshot, baseline), tuple(verdicts))


def _find_service(
    found: Iterable[EndpointServiceSnapshot | UnreadableServices], scope: Scope
) -> EndpointServiceSnapshot:
    for each in found:
        if isinstance(each, UnreadableServices):
            raise CommandError(f"the endpoint services of {scope.region}: {each.reason}")
        if each.scope == scope:
            return each
    raise CommandError(f"there is no {scope.subject} in {scope.region}")


def find_proven(network: Network, verdict: Verdict) -> Remediation | None:
    """Find the first remediation that is proven on the network as it is now."""
    found = Prover(network.context, network.verdicts, SCAN_LIMITS).prove(verdict).remediation
    return found if found and found.verified else None


def propose(
    network: Network, verdict: Verdict, command: str, document: BaselineDocument
) -> Proposal:
    """Prove a command on the network as it is now, and predict what it does.

    An earlier run may have made its first calls: then what is left is proven in its place.

    Raises:
        UnprovenError: The command is not proven.
    """
    prover = Prover(network.context, network.verdicts, SCAN_LIMITS)
    done, left = _skip_done(network.snapshot, command)
    if not done or not left or prover.find_problem(left, verdict):
        done, left = (), command
        if problem := prover.find_problem(command, verdict):
            raise UnprovenError(problem)
    wanted = replace(
        verdict,
        remediation=Remediation(verdict.remediation.text if verdict.remediation else "", left),
        alternatives=(),
    )
    edits = parse_command(left, region=network.scope.region)
    before = NetworkState((network.snapshot, *network.list_central()), network.shared)
    after = apply_to_state(before, edits)
    notes = tuple(f"Assumed: {each}." for each in after.assumptions)
    shared = SharedComparison(network.shared, after.state.shared)
    effect = compare_snapshots(before.snapshots, after.state.snapshots, document, notes, shared)
    return Proposal(network, prover.prove(wanted), edits, done, effect, after.accounts)


def _skip_done(snapshot: AnySnapshot, command: str) -> tuple[tuple[Edit, ...], str]:
    """Return the first calls of a command that are done already, and the command that is left.

    What is left is proven by itself, so taking a call for done by mistake does no harm.
    """
    edits = parse_command(command, region=snapshot.scope.region)
    names: dict[str, str] = {}
    done: list[Edit] = []
    for edit in edits:
        wanted = rename_symbols(edit, names)
        what = CREATED.get(type(edit))
        known = _find_created(snapshot, wanted) if what else None
        if not known and (what or not _is_done(snapshot, wanted)):
            break
        done.append(edit)
        if what and known:
            number = sum(CREATED.get(type(each)) == what for each in done)
            names[f"{what.prefix}-new-{number}"] = known
    left = _renumber([rename_symbols(each, names) for each in edits[len(done) :]], done)
    return tuple(done), format_sequence(left, snapshot.scope.region)


def _renumber(edits: Sequence[Edit], done: Iterable[Edit]) -> list[Edit]:
    """Number the symbols of what is left from 1 again."""
    made: dict[str, int] = {}
    for each in done:
        if what := CREATED.get(type(each)):
            made[what.prefix] = made.get(what.prefix, 0) + 1
    names = {
        f"{prefix}-new-{count + number}": f"{prefix}-new-{number}"
        for prefix, count in made.items()
        for number in range(1, len(edits) + 1)
    }
    return [rename_symbols(each, names) for each in edits]


def _is_done(snapshot: AnySnapshot, edit: Edit) -> bool:
    """Return whether the effect of a call is there already."""
    try:
        return apply_edits(snapshot, [edit]).snapshot == snapshot
    except RefusedEditError as error:
        return error.code.endswith(DONE_CODES)
    except EditError:
        return False


def _find_created(snapshot: AnySnapshot, edit: Edit) -> str | None:
    """Find what an earlier run of a call created: a group by its name, an endpoint by its parts."""
    if isinstance(snapshot, EndpointServiceSnapshot):
        return None
    if isinstance(edit, CreateSecurityGroup):
        groups = snapshot.security_groups.values()
        wanted = edit.group_name, edit.vpc_id
        return next((each.id for each in groups if (each.name, each.vpc_id) == wanted), None)
    if isinstance(edit, CreateVpcEndpoint):
        return next(
            (
                each.id
                for each in snapshot.endpoints.values()
                if (each.type, each.service_name) == (edit.vpc_endpoint_type, edit.service_name)
                and not each.deleted
                and {*edit.route_table_ids} <= {*each.route_table_ids}
                and {*edit.subnet_ids} <= {*each.subnet_ids}
            ),
            None,
        )
    return None


def describe_changes(recorded: Verdict, current: Verdict) -> Iterator[str]:
    """Describe how a verdict differs from the one that was recorded."""
    if (recorded.status, recorded.severity) != (current.status, current.severity):
        was = f"{recorded.severity} {recorded.status}"
        yield f"was {was}, is {current.severity} {current.status}"
    before = {fact.text for fact in recorded.evidence}
    now = {fact.text for fact in current.evidence}
    yield from (f"no longer: {each.text}" for each in recorded.evidence if each.text not in now)
    yield from (f"new: {each.text}" for each in current.evidence if each.text not in before)


def name_done(edits: Iterable[Edit]) -> str:
    """Name the calls that are done already."""
    return ", ".join(name_operation(type(each)) for each in edits)
