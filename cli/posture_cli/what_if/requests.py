"""Builds edits from what a person types: commands, and options that stand for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from posture.baseline.document import BaselineDocument
from posture.baseline.resolve import resolve_baseline
from posture.edits.command_line import parse_command
from posture.edits.edit import Edit
from posture.edits.operations.endpoints import DeleteVpcEndpoints, ModifyVpcEndpoint
from posture.edits.operations.gateways import (
    DeleteEgressOnlyInternetGateway,
    DeleteNatGateway,
    DeleteTransitGatewayVpcAttachment,
    DeleteVpcPeeringConnection,
    DetachInternetGateway,
)
from posture.edits.operations.network_acls import DeleteNetworkAcl
from posture.edits.operations.routes import DeleteRouteTable
from posture.edits.operations.security_groups import DeleteSecurityGroup
from posture.model.network import Snapshot
from posture.model.verdict import Status
from posture.remedies.prove import SCAN_LIMITS, Prover
from posture.rules.contexts import VpcContext
from posture.rules.engine import evaluate_context
from posture_cli.failure import CommandError
from posture_cli.live import require_service
from posture_cli.recorded.load import load_json

REQUIRED = "required-service-without-endpoint"  # the rule whose remediation creates an endpoint

REMOVALS: Mapping[str, Callable[[str], Edit]] = {
    "acl": lambda each: DeleteNetworkAcl(network_acl_id=each),
    "eigw": lambda each: DeleteEgressOnlyInternetGateway(egress_only_internet_gateway_id=each),
    "nat": lambda each: DeleteNatGateway(nat_gateway_id=each),
    "pcx": lambda each: DeleteVpcPeeringConnection(vpc_peering_connection_id=each),
    "rtb": lambda each: DeleteRouteTable(route_table_id=each),
    "sg": lambda each: DeleteSecurityGroup(group_id=each),
    "tgw-attach": lambda each: DeleteTransitGatewayVpcAttachment(
        transit_gateway_attachment_id=each
    ),
    "vpce": lambda each: DeleteVpcEndpoints(vpc_endpoint_ids=(each,)),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants to change.

    Attributes:
        commands: AWS CLI commands.
        add: Names of services that get an endpoint.
        policies: Endpoint policies, as in `vpce-1=file.json`.
        remove: Ids of resources.
    """

    commands: Sequence[str] = ()
    add: Sequence[str] = ()
    policies: Sequence[str] = ()
    remove: Sequence[str] = ()


def build_edits(
    wanted: Wanted, snapshots: Sequence[Snapshot], document: BaselineDocument
) -> tuple[tuple[Edit, ...], tuple[str, ...]]:
    """Build the edits in their order: commands, then what is added, set and removed.

    Returns:
        The edits, and a sentence with each command that was built for a service.

    Raises:
        MalformedRequestError: A command is not understood.
        CommandError: An option is not, or there is nothing that it could mean.
        OSError: A file cannot be read.
    """
    added = [_find_create_command(each, snapshots, document) for each in wanted.add]
    regions = {each.scope.region for each in snapshots}
    # One text, so that all calls share shell variables, and number what they create.
    text = "\n".join([*wanted.commands, *added])
    parsed = (
        parse_command(text, region=regions.pop() if len(regions) == 1 else "", read_file=_read)
        if text
        else ()
    )
    edits = [
        *parsed,
        *map(_build_policy_edit, wanted.policies),
        *(edit for each in wanted.remove for edit in _build_removal(each, snapshots)),
    ]
    return tuple(edits), tuple(f"Added by: {each}" for each in added)


def _read(path: str) -> str:
    return Path(path).expanduser().read_text(encoding="utf-8-sig")


def _find_create_command(
    name: str, snapshots: Sequence[Snapshot], document: BaselineDocument
) -> str:
    """Find the command that the remediation of a missing required service has.

    Of its candidates it is the one that is proven; if none is, the first one, as a person asks for
    its effect.
    """
    if len(snapshots) != 1:
        raise CommandError(f"--add {name}: expected one VPC, found {len(snapshots)}; use --vpc")
    (snapshot,) = snapshots
    service = require_service(snapshot, name)
    resolved = resolve_baseline(document, snapshot.scope, snapshot.vpc.tags)
    context = VpcContext(snapshot, replace(resolved, required_services=(service.name,)))
    verdicts = evaluate_context(context)
    verdict = next(
        (each for each in verdicts if each.rule == REQUIRED and each.resource == service.name), None
    )
    if verdict is None or verdict.status is not Status.FAIL:
        why = verdict.summary if verdict else f"{snapshot.vpc.id} is an unused default VPC"
        raise CommandError(f"--add {name}: {why}")
    proven = Prover(context, verdicts, SCAN_LIMITS).prove(verdict).remediation
    candidates = (proven, verdict.remediation, *verdict.alternatives)
    commands = [each.command for each in candidates if each and each.command]
    if not commands:
        advice = verdict.remediation.text if verdict.remediation else "no command is known"
        raise CommandError(f"--add {name}: {advice}")
    return commands[0]


def _build_policy_edit(text: str) -> Edit:
    """Build the edit of `vpce-1=file.json`."""
    endpoint, separator, file = text.partition("=")
    if not (separator and endpoint.startswith("vpce-") and file):
        raise CommandError(
            f"--policy {text}: expected an endpoint and a file, as in vpce-0123abcd=policy.json"
        )
    path = Path(file.removeprefix("file://")).expanduser()
    load_json(path)  # an error names file, line and column
    return ModifyVpcEndpoint(vpc_endpoint_id=endpoint, policy_document=_read(str(path)))


def _build_removal(resource: str, snapshots: Iterable[Snapshot]) -> list[Edit]:
    """Build the edits that remove a resource; an internet gateway is detached from its VPC."""
    if resource.startswith("igw-"):
        vpcs = [
            each.vpc.id
            for each in snapshots
            if any(
                route.target.id == resource
                for table in each.route_tables.values()
                for route in table.routes
            )
        ]
        if not vpcs:
            raise CommandError(f"--remove {resource}: no route of the VPCs that were read has it")
        return [DetachInternetGateway(internet_gateway_id=resource, vpc_id=each) for each in vpcs]
    build = next(
        (build for prefix, build in REMOVALS.items() if resource.startswith(f"{prefix}-")), None
    )
    if build is None:
        known = ", ".join(f"{each}-…" for each in sorted((*REMOVALS, "igw")))
        raise CommandError(f"--remove {resource}: expected the id of a resource, one of {known}")
    return [build(resource)]
