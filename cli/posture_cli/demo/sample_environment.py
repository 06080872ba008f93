"""The environment that `posture emulate` serves and that the sample events in `events/` refer to.

It is the demo's organization with a history and with changes that are not evaluated yet. All ids
and commits are the same in each run.

* History, on the morning of 1 December 2025: a sweep; then the endpoint security group of payments
  was opened to 0.0.0.0/0 and closed again, both of which the monitor recorded.
* Pending: the misconfigurations of some scenarios are made, and not repaired. Where the stack reads
  the shared network, the transit gateway has lost its route to the hub as well.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from posture.ec2.observer import Observer
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import Evaluator
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.scope_resolver import ScopeResolver
from posture.model.scope import Region
from posture.runtime.settings import Settings, Tables
from posture.store.baselines import BaselineTable
from posture.store.rejections import Rejections
from posture.store.scope_store import Store
from posture_cli.demo.demo_run import DemoRun
from posture_cli.demo.organization import Organization, OrganizationBuilder
from posture_cli.demo.scenarios import SCENARIOS, SHARED_SCENARIOS
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller, build_event_entry, record_calls
from posture_cli.embedded.moto_patches import use_numbered_ids

MORNING = datetime(2025, 12, 1, 9, tzinfo=UTC)
OPENED_AT = MORNING + timedelta(seconds=9)
CLOSED_AT = MORNING + timedelta(minutes=5, seconds=9)
RECORDED_SCENARIO = "open-group"
PENDING_SCENARIOS = ("detour", "dns-off", "other-table", "deleted-endpoint")


class SampleEnvironment:
    """The organization with its history and its pending changes, in an emulated AWS.

    `trail` holds the CloudTrail records of the pending changes, which are not delivered.
    """

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws
        self._pending: list[AbstractContextManager[None]] = []
        self.organization: Organization
        self.trail: list[dict[str, Any]] = []

    def build(self) -> None:
        """Build the organization, record its history, and make the pending changes."""
        with use_numbered_ids():
            self.organization = DemoRun(self._aws).build()
            self._record_history()
            self._make_pending_changes()

    def build_evaluator(self, now: datetime) -> Evaluator:
        """Build an evaluator with a fixed clock."""
        dynamodb, tables = self._aws.session.client("dynamodb"), self.tables
        store = Store(dynamodb, tables)
        return Evaluator(
            EvaluationPorts(
                observer=self._observer(now),
                resolver=ScopeResolver(lambda _: self._aws.ec2(), store.resource_index),
                store=store,
                baselines=BaselineTable(dynamodb, tables.baseline),
                rejections=Rejections(dynamodb, tables.history),
            )
        )

    @property
    def tables(self) -> Tables:
        """The stack's tables."""
        environment = self._aws.stack.environment("EvaluateFunction")
        return Settings.from_env({**environment, "AWS_REGION": self._aws.region}).tables

    def _observer(self, now: datetime) -> Observer:
        return Observer(self._aws.ec2(), Region(self._aws.account, self._aws.region), lambda: now)

    def _record_history(self) -> None:
        dynamodb = self._aws.session.client("dynamodb")
        baselines = BaselineTable(dynamodb, self.tables.baseline)
        RegionSweep(self._observer(MORNING), Store(dynamodb, self.tables), baselines).run()
        with self._misconfigure(RECORDED_SCENARIO):
            self._evaluate_trail(OPENED_AT)
        self._evaluate_trail(CLOSED_AT)

    def _make_pending_changes(self) -> None:
        shared = [each.name for each in SHARED_SCENARIOS] if self.organization.hub else []
        for name in (*PENDING_SCENARIOS, *shared):
            change = self._misconfigure(name)
            change.__enter__()
            self._pending.append(change)  # kept, since its end would repair the change

    def _misconfigure(self, name: str) -> AbstractContextManager[None]:
        (scenario,) = (each for each in (*SCENARIOS, *SHARED_SCENARIOS) if each.name == name)
        caller = ApiCaller(self._aws.account, "NetworkAdmin", "alice")
        ec2 = self._aws.ec2()
        record_calls(ec2, caller, self.trail.append)
        builder = OrganizationBuilder(ec2, self._aws.account)
        return scenario.misconfigure(builder, self.organization)

    def _evaluate_trail(self, now: datetime) -> None:
        """Evaluate and discard the trail, as if its calls were made four seconds ago."""
        evaluator = self.build_evaluator(now)
        event_time = f"{now - timedelta(seconds=4):%Y-%m-%dT%H:%M:%SZ}"
        for record in self.trail:
            evaluator.evaluate(build_event({**record, "eventTime": event_time}))
        self.trail.clear()


def build_event(record: Mapping[str, Any]) -> dict[str, Any]:
    """Build the EventBridge event of a CloudTrail record."""
    sent = build_event_entry(dict(record))
    return {
        "version": "0",
        "id": record["eventID"],
        "detail-type": sent["DetailType"],
        "source": sent["Source"],
        "account": record["recipientAccountId"],
        "time": record["eventTime"],
        "region": record["awsRegion"],
        "resources": [],
        "detail": dict(record),
    }
