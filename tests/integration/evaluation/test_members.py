"""Several accounts in one monitor: each is read by its own role, and affects no other."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from monitor_stage import ANY_ADDRESS, HOME, Stage, batch
from posture.ec2.members import MemberObservers, assume_member_roles
from posture.errors import SweepIncompleteError
from posture.evaluation.account_sweep import sweep_accounts
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import Evaluator
from posture.evaluation.scope_resolver import ScopeResolver
from posture.evaluation.sweep_result import SweepResult
from posture.model.finding import Finding, FindingStatus
from posture.model.instant import format_iso
from posture.model.scope import Region, Scope
from posture.rules.rule_catalogue import SERVICE_RULES
from posture.runtime import clients
from posture.runtime.settings import MemberAccess
from posture.store.baselines import BaselineTable
from posture.store.rejections import Rejections
from posture_cli.embedded.cloudtrail import ApiCaller, record_calls
from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network
from stack_tables import TABLES

ONE, OTHER = "111111111111", "222222222222"
ACCESS = MemberAccess((ONE, OTHER), "posture-look-eu-west-1", "our-external-id")


class Organization:
    """The home account's stage, and two members with a network of their own in each."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.assumed: list[dict[str, str]] = []
        self.denied: set[str] = set()
        clients.session().register(
            "before-parameter-build.sts.AssumeRole", cast("Any", self._assume)
        )
        self.members: MemberObservers = assume_member_roles(HOME, ACCESS, "aws")
        self.networks = {
            account: build_sample_network(self.client(account)) for account in (ONE, OTHER)
        }

    def client(self, account: str) -> Any:
        """Return an EC2 client of a member's own administrator."""
        role = f"arn:aws:iam::{account}:role/Admin"
        sts = boto3.client("sts", region_name=REGION)
        made = sts.assume_role(RoleArn=role, RoleSessionName="admin")["Credentials"]
        return boto3.client(
            "ec2",
            region_name=REGION,
            aws_access_key_id=made["AccessKeyId"],
            aws_secret_access_key=made["SecretAccessKey"],
            aws_session_token=made["SessionToken"],
        )

    def open_group(self, account: str) -> dict[str, Any]:
        """Open a member's endpoint to 0.0.0.0/0; return the call's record."""
        trail: list[dict[str, Any]] = []
        ec2 = self.client(account)
        record_calls(ec2, ApiCaller(account, "NetworkAdmin", "bob"), trail.append)
        group = self.networks[account].group
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[ANY_ADDRESS])
        return trail[0]

    def open_service(self, account: str) -> tuple[Scope, dict[str, Any]]:
        """Open a member's endpoint service to all principals; return it and the call's record."""
        trail: list[dict[str, Any]] = []
        ec2 = self.client(account)
        made = ec2.create_vpc_endpoint_service_configuration(
            NetworkLoadBalancerArns=[self.stage.load_balancer()]
        )
        record_calls(ec2, ApiCaller(account, "NetworkAdmin", "bob"), trail.append)
        service = made["ServiceConfiguration"]["ServiceId"]
        ec2.modify_vpc_endpoint_service_permissions(ServiceId=service, AddAllowedPrincipals=["*"])
        return Scope(account, REGION, service), trail[0]

    def evaluate(self, *records: Any) -> tuple[str, ...]:
        """Evaluate records as one batch; return the messages to retry."""
        stage = self.stage
        home = stage.observer()

        def ec2_of(region: Region) -> Any:
            return self.members.get(region.account, home).ec2

        ports = EvaluationPorts(
            observer=home,
            members=self.members,
            resolver=ScopeResolver(
                ec2_of, stage.store.resource_index, {HOME.account, *self.members}
            ),
            store=stage.store,
            baselines=BaselineTable(stage.dynamodb, TABLES.baseline),
            rejections=Rejections(stage.dynamodb, TABLES.history),
        )
        return Evaluator(ports).evaluate(batch(*records)).failed

    def sweep(self) -> SweepResult:
        """Sweep all accounts."""
        baselines = BaselineTable(self.stage.dynamodb, TABLES.baseline)
        return sweep_accounts(
            self.stage.observer(), self.members.values(), self.stage.store, baselines
        )

    def findings(self, account: str, status: FindingStatus = FindingStatus.OPEN) -> list[Finding]:
        """Return the findings of the full VPC of a member."""
        network: SampleNetwork = self.networks[account]
        return self.of(Scope(account, REGION, network.scope.subject), status)

    def lose(self, *accounts: str) -> None:
        """Let the roles of these accounts alone be refused, also those that were assumed before."""
        self.denied = set(accounts)
        self.members = assume_member_roles(HOME, ACCESS, "aws")

    def deny(self, account: str, *operations: str) -> Callable[[], None]:
        """Deny EC2's operations in one account ("*": all); return what allows them again."""

        def refuse(model: Any, **_: Any) -> None:
            if model.name in operations or "*" in operations:
                error: Any = {"Error": {"Code": "UnauthorizedOperation", "Message": "no"}}
                raise ClientError(error, model.name)

        home = account == ACCOUNT
        events = (self.stage.network if home else self.members[account]).ec2.meta.events
        events.register("before-call.ec2", refuse)
        return lambda: events.unregister("before-call.ec2", refuse)

    def unread(self, account: str, status: FindingStatus = FindingStatus.UNKNOWN) -> list[Finding]:
        """Return the findings about the access to an account."""
        return self.of(Region(account, REGION).scope, status)

    def of(self, scope: Scope, status: FindingStatus) -> list[Finding]:
        """Return the findings of a scope."""
        stored = self.stage.store.load_all(scope).findings
        return [each for each in stored.values() if each.status is status]

    def _assume(self, params: dict[str, str], **_: Any) -> None:
        self.assumed.append(params)
        if params["RoleArn"].split(":")[4] in self.denied:
            error: Any = {"Error": {"Code": "AccessDenied", "Message": "not for you"}}
            raise ClientError(error, "AssumeRole")


@pytest.fixture
def organization(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Organization]:
    """Return an organization of three accounts."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    forget: Callable[[], None] = clients.session.cache_clear
    forget()
    yield Organization(stage)
    forget()


def test_a_members_change_is_found_in_its_account_alone(organization: Organization) -> None:
    """The scope, the actor and the role are the member's; the other accounts have no finding."""
    assert organization.evaluate(organization.open_group(ONE)) == ()
    found = [it for it in organization.findings(ONE) if it.rule == "endpoint-security-group-open"]
    assert {it.scope.account for it in found} == {ONE}
    assert all(str(it.opened_by.actor).endswith("/bob") for it in found)
    assert organization.findings(OTHER) == []
    assert organization.stage.findings() == []
    assert organization.assumed[0]["RoleArn"] == f"arn:aws:iam::{ONE}:role/posture-look-eu-west-1"
    assert organization.assumed[0]["ExternalId"] == "our-external-id"


def test_a_change_of_one_account_concerns_another(organization: Organization) -> None:
    """Its group is associated with the other account's VPC, which is evaluated at once."""
    organization.sweep()
    theirs = organization.networks[OTHER].scope.subject
    scope = Scope(OTHER, REGION, theirs)
    group = frozenset({organization.networks[ONE].group})
    organization.stage.store.resource_index.remember(scope, group, organization.stage.clock())
    organization.open_group(OTHER)  # no event of it arrives
    record = organization.open_group(ONE)
    assert organization.evaluate(record) == ()
    assert "endpoint-security-group-open" in {it.rule for it in organization.findings(OTHER)}
    organization.lose(OTHER)
    assert organization.evaluate(record) == ()  # that account's trouble is not this change's


def test_a_change_of_an_account_that_is_no_member_is_dropped(organization: Organization) -> None:
    """No other account fills the dead-letter queue; the rest of the batch goes on."""
    unlisted = organization.open_group(ONE) | {"recipientAccountId": "333333333333"}
    organization.stage.open_group()
    (home,) = organization.stage.taken()
    assert organization.evaluate(unlisted, home) == ()
    assert organization.stage.findings()
    assert organization.stage.refused() == {}


def test_a_member_that_denies_access_is_unknown_and_stops_no_other(
    organization: Organization,
) -> None:
    """Its scope's rules answer unknown and its change comes again; the others are evaluated."""
    organization.denied.add(ONE)
    records = [organization.open_group(ONE), organization.open_group(OTHER)]
    records[0]["requestParameters"]["vpcId"] = organization.networks[ONE].scope.subject
    assert organization.evaluate(*records) == ("m-1",)
    assert organization.findings(ONE) == []
    assert organization.findings(OTHER)


def test_a_sweep_evaluates_every_account(organization: Organization) -> None:
    """Each VPC of each account, under its own account."""
    result = organization.sweep()
    accounts = {each.scope.account for each in result.results}
    assert accounts == {ACCOUNT, ONE, OTHER}
    for account, network in organization.networks.items():
        mine = {it.scope.subject for it in result.results if it.scope.account == account}
        theirs = {each["VpcId"] for each in network.ec2.describe_vpcs()["Vpcs"]}
        assert mine == theirs


def test_a_sweep_reports_what_it_may_no_longer_read(organization: Organization) -> None:
    """What was found before stays open, and each rule that cannot see says unknown."""
    organization.open_group(ONE)
    organization.sweep()
    before = organization.findings(ONE)
    organization.denied.add(ONE)
    organization.members = assume_member_roles(HOME, ACCESS, "aws")
    result = organization.sweep()
    assert [region.account for region in result.failed_regions] == [ONE]
    assert {it.id for it in organization.findings(ONE)} == {it.id for it in before}
    unknown = organization.findings(ONE, FindingStatus.UNKNOWN)
    assert "endpoint-security-group-open" in {it.rule for it in unknown}
    assert all("AccessDenied" in it.verdict.evidence[0].text for it in unknown)
    assert organization.findings(OTHER, FindingStatus.UNKNOWN) == []


def test_a_member_that_does_not_answer_is_named_and_the_others_are_swept(
    organization: Organization,
) -> None:
    """So that Lambda tries again, and the log says whom."""

    def throttled(**_: Any) -> None:
        error: Any = {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}
        raise ClientError(error, "DescribeVpcs")

    organization.members[ONE].ec2.meta.events.register("before-call.ec2.DescribeVpcs", throttled)
    result = organization.sweep()
    assert [region.account for region in result.failed_regions] == [ONE]
    assert {each.scope.account for each in result.results} == {ACCOUNT, OTHER}


@pytest.mark.parametrize("operation", ["DescribeVpcs", "DescribeSubnets"])
def test_a_member_that_is_throttled_is_not_clean(
    organization: Organization, operation: str
) -> None:
    """Whether nothing is listed or nothing can be read: one finding says so until it can."""

    def throttled(**_: Any) -> None:
        error: Any = {"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}
        raise ClientError(error, operation)

    organization.sweep()
    events, event = organization.members[ONE].ec2.meta.events, f"before-call.ec2.{operation}"
    events.register(event, throttled)
    for _ in range(2):
        assert [it.account for it in organization.sweep().failed_regions] == [ONE]
        (finding,) = organization.unread(ONE)
    assert finding.version == 1
    assert "RequestLimitExceeded" in finding.verdict.evidence[0].text
    assert operation in finding.verdict.evidence[0].text
    events.unregister(event, throttled)
    assert not organization.sweep().failed_regions
    assert organization.unread(ONE) == []
    assert organization.unread(OTHER) == []


def test_an_endpoint_service_of_a_member_that_denies_access_is_unknown(
    organization: Organization,
) -> None:
    """By a change, which comes again, and by a sweep; what was found is open once more after."""
    scope, record = organization.open_service(ONE)
    assert organization.evaluate(record) == ()
    (before,) = organization.of(scope, FindingStatus.OPEN)
    unread = organization.of(
        scope, FindingStatus.UNKNOWN
    )  # connections, which moto does not return
    assert before.rule == "endpoint-service-allows-untrusted-principal"
    organization.denied.add(ONE)
    organization.members = assume_member_roles(HOME, ACCESS, "aws")
    evaluate: Callable[[], Any] = lambda: organization.evaluate(record)  # noqa: E731
    sweep: Callable[[], Any] = lambda: tuple(organization.sweep().failed)  # noqa: E731
    for run, failed in ((evaluate, ("m-1",)), (sweep, ())):
        assert run() == failed
        unknown = organization.of(scope, FindingStatus.UNKNOWN)
        assert {it.rule for it in unknown} == {rule.id for rule in SERVICE_RULES}
        assert before.id in {it.id for it in unknown}
        assert all("AccessDenied" in it.verdict.evidence[0].text for it in unknown)
    organization.denied.clear()
    assert not organization.sweep().failed
    assert [it.id for it in organization.of(scope, FindingStatus.OPEN)] == [before.id]
    after = organization.of(scope, FindingStatus.UNKNOWN)
    assert {it.id for it in after} == {it.id for it in unread}


def test_an_account_whose_role_cannot_be_assumed_is_not_swept(organization: Organization) -> None:
    """The sweep fails with its name, after the others; one finding says what and since when."""
    organization.lose(ONE)
    result = organization.sweep()
    assert result.count_metrics()["AccountsNotSwept"] == 1
    assert {each.scope.account for each in result.results} >= {ACCOUNT, OTHER}
    with pytest.raises(SweepIncompleteError, match=f"{ONE}/{REGION}: AccessDenied: sts:AssumeRole"):
        result.require_complete()
    (finding,) = organization.unread(ONE)
    assert (finding.rule, finding.resource) == ("account-region-not-readable", ONE)
    assert format_iso(finding.opened_at) in finding.verdict.summary
    assert "VPCs and endpoint services" in finding.verdict.summary
    assert organization.unread(OTHER) == organization.unread(ACCOUNT) == []


def test_a_second_failing_sweep_adds_nothing(organization: Organization) -> None:
    """The finding keeps its version, and with it the time since when nothing was seen."""
    organization.lose(ONE)
    organization.sweep()
    before = organization.unread(ONE)
    assert organization.sweep().failed_regions
    assert organization.unread(ONE) == before


def test_an_account_that_can_be_read_again_has_no_such_finding(organization: Organization) -> None:
    """It is resolved once, and its scope leaves the index of what is swept."""
    organization.lose(ONE)
    organization.sweep()
    organization.lose()
    assert not organization.sweep().failed_regions
    (finding,) = organization.unread(ONE, FindingStatus.RESOLVED)
    assert finding.version == 2
    known = organization.stage.store.load_region_records(Region(ONE, REGION))
    assert Region(ONE, REGION).scope not in {each.scope for each in known}
    assert organization.networks[ONE].vpc in {each.scope.subject for each in known}


def test_a_change_of_an_account_that_cannot_be_read_comes_again(organization: Organization) -> None:
    """It names no VPC, and its look-up is denied: it is evaluated when the role is back."""
    record = organization.open_group(ONE)
    organization.lose(ONE)
    assert organization.evaluate(record) == ("m-1",)
    assert organization.unread(ONE)
    organization.lose()
    assert organization.evaluate(record) == ()
    (found,) = (
        it for it in organization.findings(ONE) if it.rule == "endpoint-security-group-open"
    )
    assert str(found.opened_by.actor).endswith("/bob")


def test_a_change_whose_look_up_alone_is_denied_comes_again(organization: Organization) -> None:
    """The VPCs are listed and evaluated, but nothing says which of them the change concerns."""
    record = organization.open_group(ONE)
    organization.deny(ONE, "DescribeSecurityGroups")
    assert organization.evaluate(record) == ("m-1",)
    assert organization.unread(ONE) == []


VPCS, SERVICES = "DescribeVpcs", "DescribeVpcEndpointServiceConfigurations"


@pytest.mark.parametrize("account", [ACCOUNT, ONE])
@pytest.mark.parametrize(
    ("denied", "named"), [("*", {VPCS, SERVICES}), (VPCS, {VPCS}), (SERVICES, {SERVICES})]
)
def test_a_listing_that_is_denied_is_named(
    organization: Organization, account: str, denied: str, named: set[str]
) -> None:
    """Be it one or all, in the monitor's own account or in a member."""
    allow = organization.deny(account, denied)
    assert [region.account for region in organization.sweep().failed_regions] == [account]
    (finding,) = organization.unread(account)
    assert {fact.record["operation"] for fact in finding.verdict.evidence} == named
    allow()
    assert not organization.sweep().failed_regions
    assert organization.unread(account) == []
