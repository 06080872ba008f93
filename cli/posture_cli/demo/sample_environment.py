"""The demo's organisation with a past and with changes that nobody has looked at yet.

What `posture emulate` serves, and what the sample events in `events/` are about. Every id and every
commit is the same in each run.

* Past, on the morning of 1 December 2025: a sweep; then payments' endpoint group was opened to
  everybody, which was found, and closed again, which was found too.
* Present: the acts of the story up to the present one are done and not undone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

from posture.ec2.observer import Observer
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import Evaluator
from posture.evaluation.region_sweep import RegionSweep
from posture.evaluation.scope_resolver import ScopeResolver
from posture.model.scope import Region
from posture.runtime.settings import Tables
from posture.store.baselines import BaselineTable
from posture.store.rejections import Rejections
from posture.store.scope_store import Store
from posture_cli.demo.demo_run import DemoRun
from posture_cli.demo.organisation import Organisation, OrganisationBuilder
from posture_cli.demo.scenarios import SCENARIOS, ScenarioContext
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.call_recorder import record_calls
from posture_cli.embedded.cloudtrail import ApiCaller, build_event_entry
from posture_cli.embedded.numbering import use_numbered_ids

MORNING = datetime(2025, 12, 1, 9, tzinfo=UTC)
OPENED = MORNING + timedelta(seconds=9)
CLOSED = MORNING + timedelta(minutes=5, seconds=9)
PAST = "open-group"
PRESENT = ("detour", "dns-off", "other-table", "deleted-endpoint")


class SampleEnvironment:
    """The organisation in an embedded AWS, with its past and present.

    `trail` holds the CloudTrail record of each present change; none has been delivered.
    """

    def __init__(self, aws: EmbeddedAws) -> None:
        self._aws = aws
        self._done: list[AbstractContextManager[None]] = []
        self.organisation: Organisation
        self.trail: list[dict[str, Any]] = []

    def build(self) -> None:
        """Build the organisation, let the past happen, and do what is present."""
        with use_numbered_ids():
            self.organisation = DemoRun(self._aws).build()
            self._past()
            self._present()

    def evaluator(self, now: datetime) -> Evaluator:
        """Give an evaluator that looks at a time of its own."""
        dynamodb, tables = self._aws.session.client("dynamodb"), self.tables
        store = Store(dynamodb, tables)
        return Evaluator(
            EvaluationPorts(
                observer=self._observer(now),
                places=ScopeResolver(lambda _: self._aws.ec2(), store.ownership),
                store=store,
                baselines=BaselineTable(dynamodb, tables.baseline),
                rejections=Rejections(dynamodb, tables.history),
            )
        )

    @property
    def tables(self) -> Tables:
        """The stack's tables."""
        outputs = self._aws.stack.outputs
        return Tables(
            findings=outputs["FindingsTableName"],
            history=outputs["HistoryTableName"],
            baseline=outputs["BaselineTableName"],
            ownership=outputs["OwnershipTableName"],
            idempotency=outputs["IdempotencyTableName"],
        )

    def _observer(self, now: datetime) -> Observer:
        return Observer(self._aws.ec2(), Region(self._aws.account, self._aws.region), lambda: now)

    def _past(self) -> None:
        dynamodb = self._aws.session.client("dynamodb")
        baselines = BaselineTable(dynamodb, self.tables.baseline)
        RegionSweep(self._observer(MORNING), Store(dynamodb, self.tables), baselines).sweep()
        with self._deed(PAST, "alice"):
            self._evaluate(self._taken(), OPENED)
        self._evaluate(self._taken(), CLOSED)

    def _present(self) -> None:
        for name in PRESENT:
            deed = self._deed(name, "alice")
            deed.__enter__()
            self._done.append(deed)  # never left: what leaves a deed is its repair

    def _deed(self, name: str, session: str) -> AbstractContextManager[None]:
        (act,) = (each for each in SCENARIOS if each.name == name)
        caller = ApiCaller(self._aws.account, "NetworkAdmin", session)
        ec2 = self._aws.ec2()
        record_calls(ec2, caller, self.trail.append)
        return act.deed(
            ScenarioContext(ec2, self.organisation, OrganisationBuilder(ec2, self._aws.account))
        )

    def _taken(self) -> Sequence[dict[str, Any]]:
        taken, self.trail[:] = list(self.trail), []
        return taken

    def _evaluate(self, records: Sequence[Mapping[str, Any]], now: datetime) -> None:
        evaluator = self.evaluator(now)
        for record in records:
            called = now - timedelta(seconds=4)
            evaluator.evaluate(build_event({**record, "eventTime": f"{called:%Y-%m-%dT%H:%M:%SZ}"}))


def build_event(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give the event that EventBridge makes of a CloudTrail record."""
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
