"""Changes of the shared network are applied to all VPCs that depend on it."""

import pytest

from organization_builders import (
    HUB,
    HUB_ACCOUNT,
    SPOKES_TABLE,
    Organization,
    build_organization,
    get_block,
    get_spoke_account,
)
from posture.baseline.parse import parse_document
from posture.edits.command_line import parse_command
from posture.errors import UndecidedEditError
from posture_cli.comparison.compare import Comparison, SharedComparison, compare_snapshots
from posture_cli.what_if.scopes import apply_to_all

REQUIRED = {
    "version": 1,
    "default": {"required_services": ["kms", "ecr.api", "ecr.dkr"]},
}


def ask(organization: Organization, *commands: str) -> Comparison:
    """Ask what commands would do to all VPCs of an organization."""
    networks = list(organization.snapshots.values())
    edits = parse_command("\n".join(commands))
    applied = apply_to_all(networks, edits, shared=organization.shared)
    shared = SharedComparison(organization.shared, applied.shared)
    document = parse_document(REQUIRED)
    return compare_snapshots(networks, applied.snapshots, document, applied.notes, shared)


def list_worse(found: Comparison) -> list[str]:
    """List the VPCs that become worse."""
    return [each.scope.subject for each in found.scopes if each.is_worse]


BLACKHOLE = (
    f"aws ec2 create-transit-gateway-route --transit-gateway-route-table-id {SPOKES_TABLE} "
    f"--destination-cidr-block {get_block(0)} --blackhole"
)


def test_a_route_of_the_transit_gateway_concerns_every_spoke() -> None:
    """Their snapshots are the same, and the way back from the hub is another table."""
    found = ask(build_organization(), BLACKHOLE)
    assert list_worse(found) == ["vpc-spoke1", "vpc-spoke2"]
    assert found.unchanged == 1
    assert f"create-transit-gateway-route in account {HUB_ACCOUNT}" in " ".join(found.notes)


def test_a_change_of_the_hub_is_seen_in_the_spokes() -> None:
    """Its snapshot belongs to the shared network, too."""
    found = ask(
        build_organization(),
        "aws ec2 revoke-security-group-ingress --group-id sg-hub-endpoints --ip-permissions "
        f"IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{{CidrIp={get_block(1)}}}]",
    )
    assert list_worse(found) == ["vpc-spoke1"]
    assert HUB in {each.scope.subject for each in found.scopes}


def test_a_zone_of_another_account_takes_two_accounts() -> None:
    """The answer says which account makes which call."""
    organization = build_organization()
    zone = next(iter(organization.shared.zones))
    vpc = "--vpc VPCRegion=eu-west-1,VPCId=vpc-spoke1"
    found = ask(
        organization,
        f"aws route53 disassociate-vpc-from-hosted-zone --hosted-zone-id {zone} {vpc}",
        f"aws route53 create-vpc-association-authorization --hosted-zone-id {zone} {vpc}",
        f"aws route53 associate-vpc-with-hosted-zone --hosted-zone-id {zone} {vpc}",
    )
    assert not found.scopes
    spoke = get_spoke_account(1)
    assert found.notes == (
        (
            f"Calls: disassociate-vpc-from-hosted-zone in account {spoke}, "
            f"create-vpc-association-authorization in account {HUB_ACCOUNT}, "
            f"associate-vpc-with-hosted-zone in account {spoke}."
        ),
    )


def test_without_the_shared_network_its_changes_are_not_known() -> None:
    """The message names the option that reads it."""
    networks = list(build_organization().snapshots.values())
    with pytest.raises(UndecidedEditError, match="--shared-network"):
        apply_to_all(networks, parse_command(BLACKHOLE))
