"""An organization whose VPCs are evaluated from its snapshots: no call reaches EC2."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from organization_builders import HUB, HUB_ACCOUNT, Organization, build_baseline
from posture.baseline.document import BaselineDocument, Match, Override
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.refresh import Refresher, RefreshResult
from posture.evaluation.scope import ScopeEvaluator, ScopeResult
from posture.evaluation.scope_resolver import ScopeResolver
from posture.evaluation.shared_facts import SharedFacts
from posture.model.change import Change
from posture.model.finding import Finding
from posture.model.network import Snapshot
from posture.model.scope import Region
from posture.model.shared_kind import SharedKind
from posture.model.shared_network import SharedNetwork, SharedVpc
from posture.model.survey import SurveyPart
from posture.runtime.deadline import Deadline
from posture.store.baselines import BaselineTable
from posture.store.findings import Findings
from posture.store.rejections import Rejections
from posture.store.scope_record import ScopeRecord
from posture.store.scope_store import Store
from posture.store.shared_network import SharedNetworkTable
from stack_tables import NETWORK, TABLES, create_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SECOND = timedelta(seconds=1)
FIELDS = {
    SharedKind.RESOLVER: ("rules", "resolvers"),
    SharedKind.PROFILES: ("profiles",),
    SharedKind.PEERINGS: ("peerings",),
    SharedKind.CORE: (),
    SharedKind.TRANSIT: ("gateways", "attachments", "tables", "prefix_lists"),
    SharedKind.ZONES: ("zones",),
}
ASSOCIATED = {
    SharedKind.RESOLVER: "rule_ids",
    SharedKind.PROFILES: "profiles",
    SharedKind.ZONES: "zone_ids",
}


def split_survey(shared: SharedNetwork, accounts: Iterable[str]) -> tuple[SurveyPart, ...]:
    """Split a shared network into what a survey reads: all facts in the hub's account."""
    parts: list[SurveyPart] = []
    for kind, names in FIELDS.items():
        own = ASSOCIATED.get(kind)
        for account in accounts:
            facts: dict[str, Any] = {}
            if account == HUB_ACCOUNT:
                facts = {name: getattr(shared, name) for name in names}
                facts["vpcs"] = {
                    name: SharedVpc(
                        name, each.account, each.region, each.cidrs, tags=each.tags,
                        **({own: getattr(each, own)} if own else {}),
                    )
                    for name, each in shared.vpcs.items()
                }  # fmt: skip
            network = SharedNetwork(
                shared.region, shared.observed_at, frozenset({account}), **facts
            )
            parts.append(SurveyPart(kind, account, network))
    return tuple(parts)


class NoCalls:
    """Stands for an EC2 client that must not be used."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"EC2 was asked: {name}")


@dataclass
class StoredObserver:
    """Reads VPCs from an organization, and counts them."""

    region: Region
    stage: "OrganizationStage"
    read: list[str] = field(default_factory=list)

    def now(self) -> datetime:
        """Return the stage's time."""
        return self.stage.now

    def collect_vpc(self, scope: Any) -> Snapshot | None:
        """Return the VPC as it is now."""
        self.read.append(scope.subject)
        found = self.stage.organization.snapshots.get(scope.subject)
        return replace(found, observed_at=self.stage.now) if found else None

    def find_vpcs_of_endpoints(self, ids: Collection[str]) -> Mapping[str, str]:
        """Find the VPCs of endpoints, whichever account they are in."""
        listed = self.stage.organization.snapshots.items()
        return {each: name for name, vpc in listed for each in ids if each in vpc.endpoints}


class OrganizationStage:
    """The tables of a monitor of an organization, and its evaluations."""

    def __init__(
        self, dynamodb: "DynamoDBClient", organization: Organization, *, create: bool = True
    ) -> None:
        if create:
            create_tables(dynamodb)
        self.dynamodb = dynamodb
        self.organization = organization
        self.now = organization.shared.observed_at
        self.accounts = sorted({each.scope.account for each in organization.snapshots.values()})
        self.store = Store(dynamodb, TABLES)
        self.table = SharedNetworkTable(dynamodb, NETWORK)
        self.baselines = BaselineTable(dynamodb, TABLES.baseline)
        region = Region(HUB_ACCOUNT, organization.shared.region)
        self.observer = StoredObserver(region, self)
        self.apply_baseline()

    def apply_baseline(self) -> None:
        """Require what the hub has endpoints of."""
        wanted = build_baseline(self.organization)
        settings = {
            "required_services": wanted.required_services,
            "trusted_organizations": wanted.trusted_organizations,
        }
        override = Override("all", Match(accounts=frozenset(self.accounts)), settings)
        document = BaselineDocument(overrides=(override,))
        self.baselines.apply(document, after=0, applied_at=self.now, applied_by="arn:a")

    def build_facts(self) -> SharedFacts:
        """Build the shared facts of another process."""
        table = SharedNetworkTable(self.dynamodb, NETWORK)
        region = self.organization.shared.region
        return SharedFacts(table, region, self.accounts, lambda: self.now)

    def survey(self, changes: Sequence[Change] = ()) -> int:
        """Store what the network is like now; return how many parts changed."""
        self.now += SECOND
        shared = replace(self.organization.shared, observed_at=self.now)
        return self.table.write(
            shared.region, split_survey(shared, self.accounts), self.now, changes
        )

    def build_evaluator(self, facts: SharedFacts | None = None) -> ScopeEvaluator:
        """Build the evaluator of an invocation, with the shared network as it is stored now."""
        facts = facts or self.build_facts()
        return ScopeEvaluator(self.store, self.baselines, lambda: self.now, facts)

    def evaluate(
        self,
        vpc_id: str,
        evaluator: ScopeEvaluator | None = None,
        changes: Sequence[Change] = (),
    ) -> ScopeResult:
        """Read a VPC now and evaluate it."""
        self.now += SECOND
        evaluator = evaluator or self.build_evaluator()
        snapshot = replace(self.organization.snapshots[vpc_id], observed_at=self.now)
        return evaluator.evaluate(evaluator.observe(snapshot, changes))

    def evaluate_all(self) -> Mapping[str, ScopeResult]:
        """Evaluate all VPCs, the hub first."""
        evaluator = self.build_evaluator()
        listed = sorted(self.organization.snapshots, key=lambda name: name != HUB)
        return {name: self.evaluate(name, evaluator) for name in listed}

    def refresh(self, deadline: Deadline | None = None) -> RefreshResult:
        """Evaluate what changed facts concern, in a new process."""
        self.now += SECOND
        facts = self.build_facts()
        observer: Any = self.observer
        clients: Any = NoCalls()
        ports = EvaluationPorts(
            observer=observer,
            members=dict.fromkeys(set(self.accounts) - {HUB_ACCOUNT}, observer),
            resolver=ScopeResolver(lambda _: clients, self.store.resource_index),
            store=self.store,
            baselines=self.baselines,
            rejections=Rejections(self.dynamodb, TABLES.history),
            shared=facts,
        )
        findings = Findings(self.dynamodb, TABLES.findings)
        keys = {"region": {"S": self.organization.shared.region}, "item": {"S": "#head"}}
        event = {"Records": [{"dynamodb": {"Keys": keys, "SequenceNumber": "1"}}]}
        return Refresher(ports, facts, findings).refresh(event, deadline or Deadline())

    def load(self, vpc_id: str) -> ScopeRecord:
        """Load the record of a VPC."""
        record = self.store.load_record(self.organization.snapshots[vpc_id].scope)
        assert record
        return record

    def list_open(self, vpc_id: str) -> dict[tuple[str, str], Finding]:
        """List the unresolved findings of a VPC by rule and resource."""
        found = self.store.load(self.organization.snapshots[vpc_id].scope).findings.values()
        return {(each.rule, each.resource): each for each in found}
