"""An organization of three accounts, each with a network, that one monitor watches."""

from collections.abc import Callable
from typing import Any, cast

import boto3
from botocore.exceptions import ClientError

from monitor_stage import ANY_ADDRESS, HOME, Stage, batch
from posture.ec2.members import MemberObservers, assume_member_roles
from posture.evaluation.account_sweep import sweep_accounts
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import BatchResult, Evaluator
from posture.evaluation.scope_resolver import ScopeResolver
from posture.evaluation.sweep_result import SweepResult
from posture.model.finding import Finding, FindingStatus
from posture.model.scope import Region, Scope
from posture.runtime import clients
from posture.runtime.deadline import Deadline
from posture.runtime.settings import MemberAccess
from posture.store.baselines import BaselineTable
from posture.store.rejections import Rejections
from posture_cli.embedded.cloudtrail import ApiCaller, record_calls
from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network
from stack_tables import TABLES
from stored_findings import read_stored_findings

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

    def client(self, account: str, service: str = "ec2") -> Any:
        """Return a client of a member's own administrator."""
        role = f"arn:aws:iam::{account}:role/Admin"
        sts = boto3.client("sts", region_name=REGION)
        made = sts.assume_role(RoleArn=role, RoleSessionName="admin")["Credentials"]
        session: Any = boto3.Session(
            made["AccessKeyId"],
            made["SecretAccessKey"],
            made["SessionToken"],
            region_name=REGION,
        )
        return session.client(service)

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
        balancer = self.client(account, "elbv2").create_load_balancer(
            Name="nlb", Type="network", Subnets=[self.networks[account].subnet]
        )["LoadBalancers"][0]["LoadBalancerArn"]
        made = ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[balancer])
        record_calls(ec2, ApiCaller(account, "NetworkAdmin", "bob"), trail.append)
        service = made["ServiceConfiguration"]["ServiceId"]
        ec2.modify_vpc_endpoint_service_permissions(ServiceId=service, AddAllowedPrincipals=["*"])
        return Scope(account, REGION, service), trail[0]

    def evaluate(self, *records: Any) -> tuple[str, ...]:
        """Evaluate records as one batch; return the messages to retry."""
        return self.run(*records).failed

    def run(self, *records: Any, deadline: Deadline | None = None) -> BatchResult:
        """Evaluate records, or the text of messages, as one batch."""
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
            own_vpc=stage.network.vpc,
        )
        return Evaluator(ports).evaluate(batch(*records), deadline)

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
        stored = read_stored_findings(self.stage.store, scope)
        return [each for each in stored.values() if each.status is status]

    def _assume(self, params: dict[str, str], **_: Any) -> None:
        self.assumed.append(params)
        if params["RoleArn"].split(":")[4] in self.denied:
            error: Any = {"Error": {"Code": "AccessDenied", "Message": "not for you"}}
            raise ClientError(error, "AssumeRole")
