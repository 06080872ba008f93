"""Cells of the coverage matrix whose names lead to endpoints in other VPCs, or past them."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address

from network_builders import REGION, admits, route
from organization_builders import (
    ENDPOINTS_GROUP,
    HUB,
    HUB_ACCOUNT,
    Organization,
    build_organization,
    get_block,
    list_records,
)
from posture.analysis.central.answers import StepKind, StepStatus
from posture.analysis.coverage import Analysis, Cell
from posture.analysis.path_outcome import PathOutcome
from posture.model.network import Endpoint, NetworkInterface, Snapshot
from posture.model.shared_network import DnsRecord, HostedZone

SPOKE = "vpc-spoke1"
KMS_NAME, DKR = f"kms.{REGION}.amazonaws.com", f"dkr.ecr.{REGION}.amazonaws.com"
KMS_ZONE, DKR_ZONE = f"Z-{KMS_NAME}", f"Z-{DKR}"
INTACT = build_organization(services=("ecr.dkr", "kms", "monitoring"))


def evaluate(organization: Organization, short: str = "kms") -> Cell:
    """Evaluate the cell of the spoke's first subnet and a service."""
    analysis = Analysis(organization.snapshots[SPOKE], shared=organization.shared)
    service = analysis.snapshot.services[f"com.amazonaws.{REGION}.{short}"]
    return analysis.evaluate_cell(analysis.subnets[0], service)


def edit_records(organization: Organization, zone_id: str, *records: DnsRecord) -> Organization:
    """Replace the records of a zone."""
    zone = replace(organization.shared.zones[zone_id], records=records)
    return organization.edit_shared(zones={zone_id: zone})


def block(organization: Organization) -> Organization:
    """Let the security group of the endpoints admit nothing."""

    def change(hub: Snapshot) -> Snapshot:
        group = replace(hub.security_groups[ENDPOINTS_GROUP], ingress=())
        return replace(hub, security_groups={group.id: group})

    return organization.edit_vpc(HUB, change)


def drop_name(organization: Organization) -> Organization:
    """Leave the wildcard record of ECR out."""
    endpoint = organization.endpoints["ecr.dkr"]
    return edit_records(organization, DKR_ZONE, *list_records(DKR, endpoint, wildcard=False))


def add_local_endpoint(organization: Organization, *, groups: Iterable[str] = ()) -> Organization:
    """Add an endpoint for ECR to the spoke, whose private DNS covers the name of a registry."""

    def change(snapshot: Snapshot) -> Snapshot:
        interface = NetworkInterface(
            "eni-local",
            "subnet-spoke1-a",
            f"{REGION}a",
            (ip_address("10.0.16.10"),),
            tuple(groups) or ("sg-local",),
        )
        local = replace(
            organization.endpoints["ecr.dkr"],
            id="vpce-0000000000000beef",
            vpc_id=SPOKE,
            subnet_ids=("subnet-spoke1-a",),
            network_interface_ids=(interface.id,),
            security_group_ids=interface.security_group_ids,
            dns_names=("vpce-0000000000000beef-abcdefgh.dkr.ecr.eu-west-1.vpce.amazonaws.com",),
        )
        group = replace(
            organization.snapshots[HUB].security_groups[ENDPOINTS_GROUP],
            id="sg-local",
            vpc_id=SPOKE,
            ingress=(admits(str(get_block(1))),),
        )
        return replace(
            snapshot,
            endpoints={**snapshot.endpoints, local.id: local},
            network_interfaces={interface.id: interface},
            security_groups={group.id: group},
        )

    changed = organization.edit_vpc(SPOKE, change)
    local = changed.snapshots[SPOKE].endpoints["vpce-0000000000000beef"]
    wildcard = list_records(DKR, local, wildcard=True)[1]
    apex = list_records(DKR, organization.endpoints["ecr.dkr"], wildcard=False)
    return edit_records(changed, DKR_ZONE, *apex, wildcard)


def find_endpoint(organization: Organization, short: str) -> Endpoint:
    """Find an endpoint of the hub."""
    return organization.endpoints[short]


def test_a_cell_is_an_endpoint_if_every_name_and_step_holds() -> None:
    """The summary names the endpoint and its VPC."""
    cell = evaluate(INTACT)
    endpoint = find_endpoint(INTACT, "kms")
    assert cell.outcome is PathOutcome.PRIVATE
    assert cell.summary == f"resolves to {endpoint.id} in {HUB}"
    assert cell.deciding is None
    assert [each.interface.id for each in cell.central] == ["eni-kms-a", "eni-kms-b"]
    assert cell.own_zone is None


def test_the_summary_names_the_step_that_decides() -> None:
    """All interfaces are behind one group."""
    cell = evaluate(block(INTACT))
    assert cell.outcome is PathOutcome.BLOCKED
    assert cell.deciding
    assert cell.deciding.kind is StepKind.SECURITY_GROUP
    assert cell.summary.endswith(f", but {cell.deciding.text}")


def test_one_interface_that_is_not_reached_makes_it_partly() -> None:
    """DNS may return any of them."""
    attachment = replace(
        INTACT.shared.attachments["tgw-attach-hub"], subnet_ids=("subnet-hub-tgw-b",)
    )
    cell = evaluate(INTACT.edit_shared(attachments={attachment.id: attachment}))
    assert cell.outcome is PathOutcome.PARTLY
    assert cell.deciding
    assert cell.deciding.kind is StepKind.RETURN_ROUTE


def test_one_name_that_leads_past_makes_it_partly_and_a_broken_path_all_of_it() -> None:
    """The name decides, since no path helps it."""
    cell = evaluate(drop_name(INTACT), "ecr.dkr")
    assert cell.outcome is PathOutcome.PARTLY
    assert cell.deciding
    assert (cell.deciding.kind, cell.deciding.subject) == (StepKind.NAME, DKR_ZONE)
    assert cell.central
    assert evaluate(block(drop_name(INTACT)), "ecr.dkr").outcome is PathOutcome.BLOCKED


def test_one_name_that_is_not_known_makes_it_unknown() -> None:
    """The rest holds, but the name may lead anywhere."""
    elsewhere = DnsRecord(f"*.{DKR}", "A", alias=f"nlb-1.elb.{REGION}.amazonaws.com")
    apex = list_records(DKR, find_endpoint(INTACT, "ecr.dkr"), wildcard=False)
    cell = evaluate(edit_records(INTACT, DKR_ZONE, *apex, elsewhere), "ecr.dkr")
    assert cell.outcome is PathOutcome.UNKNOWN
    assert cell.deciding
    assert cell.deciding.status is StepStatus.UNKNOWN


def test_a_name_that_does_not_resolve_is_blocked() -> None:
    """The zone answers, without an address."""
    cell = evaluate(edit_records(INTACT, KMS_ZONE))
    assert cell.outcome is PathOutcome.BLOCKED
    assert cell.summary.startswith("does not resolve: ")
    assert cell.deciding
    assert cell.deciding.subject == KMS_ZONE


def test_another_private_address_is_another_network() -> None:
    """No endpoint has it."""
    cell = evaluate(edit_records(INTACT, KMS_ZONE, DnsRecord(KMS_NAME, "A", ("10.0.0.250",))))
    assert cell.outcome is PathOutcome.OTHER_NETWORK
    assert cell.summary.startswith("resolves to other private addresses: ")


def test_names_that_are_public_and_nowhere_take_the_public_path() -> None:
    """The wildcard has a public address, the apex none."""
    public = DnsRecord(f"*.{DKR}", "A", ("52.95.1.1",))
    other = DnsRecord(DKR, "TXT", ("no address",))
    changed = edit_records(INTACT, DKR_ZONE, other, public).edit_vpc(SPOKE, open_to_internet)
    cell = evaluate(changed, "ecr.dkr")
    assert cell.outcome is PathOutcome.INTERNET
    assert cell.paths


def open_to_internet(snapshot: Snapshot) -> Snapshot:
    """Route all other traffic to an internet gateway."""
    table = snapshot.route_tables["rtb-spoke1"]
    routes = (*table.routes, route("0.0.0.0/0", "igw-1"))
    return replace(snapshot, route_tables={table.id: replace(table, routes=routes)})


def test_names_that_some_clients_opt_for_do_not_decide() -> None:
    """The dual-stack name of CloudWatch has no zone."""
    changed = INTACT.edit_shared(zones={f"Z-monitoring.{REGION}.api.aws": None})
    vpc = changed.shared.vpcs[SPOKE]
    ids = tuple(each for each in vpc.zone_ids if not each.endswith(".api.aws"))
    changed = changed.edit_shared(vpcs={SPOKE: replace(vpc, zone_ids=ids)})
    cell = evaluate(changed, "monitoring")
    assert cell.outcome is PathOutcome.PRIVATE
    assert f"monitoring.{REGION}.api.aws" in cell.resolution.caveat


def test_a_zonal_name_leads_to_the_interface_of_its_zone() -> None:
    """The other interface does not count."""
    endpoint = find_endpoint(INTACT, "kms")
    zonal = next(each for each in endpoint.dns_names if f"{REGION}b." in each)
    changed = edit_records(INTACT, KMS_ZONE, DnsRecord(KMS_NAME, "A", alias=zonal))
    attachment = replace(
        INTACT.shared.attachments["tgw-attach-hub"], subnet_ids=("subnet-hub-tgw-b",)
    )
    cell = evaluate(changed.edit_shared(attachments={attachment.id: attachment}))
    assert [each.interface.id for each in cell.central] == ["eni-kms-b"]
    assert cell.outcome is PathOutcome.PRIVATE


def test_names_may_lead_to_an_endpoint_here_and_one_elsewhere() -> None:
    """Both must be reached."""
    changed = add_local_endpoint(INTACT)
    cell = evaluate(changed, "ecr.dkr")
    assert cell.outcome is PathOutcome.PRIVATE
    assert cell.reaches
    assert cell.central
    assert cell.summary == (
        f"resolves to vpce-0000000000000beef and {find_endpoint(INTACT, 'ecr.dkr').id} in {HUB}"
    )
    shut = add_local_endpoint(INTACT, groups=["sg-gone"])
    assert evaluate(shut, "ecr.dkr").outcome is PathOutcome.UNKNOWN
    assert evaluate(block(changed), "ecr.dkr").outcome is PathOutcome.PARTLY


def test_a_changed_network_does_not_keep_the_cells_of_the_former_one() -> None:
    """The VPC's own snapshot is the same."""
    former = Analysis(INTACT.snapshots[SPOKE], shared=INTACT.shared)
    service = former.snapshot.services[f"com.amazonaws.{REGION}.kms"]
    subnet = former.subnets[0]
    assert former.evaluate_cell(subnet, service).outcome is PathOutcome.PRIVATE
    changed = block(INTACT)
    after = Analysis(changed.snapshots[SPOKE], former, changed.shared)
    assert after.evaluate_cell(subnet, service).outcome is PathOutcome.BLOCKED
    same = Analysis(INTACT.snapshots[SPOKE], former, INTACT.shared)
    assert same.evaluate_cell(subnet, service) is former.evaluate_cell(subnet, service)


def test_a_public_name_says_why_it_is_public() -> None:
    """Nothing is associated with the VPC that answers for it."""
    vpc = replace(INTACT.shared.vpcs[SPOKE], zone_ids=())
    cell = evaluate(INTACT.edit_shared(vpcs={SPOKE: vpc}))
    assert cell.outcome is PathOutcome.NO_ROUTE
    assert cell.deciding
    assert (cell.deciding.kind, cell.deciding.subject) == (StepKind.NAME, SPOKE)


def test_a_zone_of_an_account_that_is_not_monitored_is_unknown() -> None:
    """Its records are not read."""
    zone = HostedZone(KMS_ZONE, KMS_NAME, "999999999999", None)
    changed = INTACT.edit_shared(
        zones={KMS_ZONE: zone}, accounts=INTACT.shared.accounts | {HUB_ACCOUNT}
    )
    cell = evaluate(changed)
    assert cell.outcome is PathOutcome.UNKNOWN
    assert cell.deciding
    assert "999999999999" in cell.deciding.missing
