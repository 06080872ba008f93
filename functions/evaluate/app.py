"""The consumer of the changes queue: it evaluates the VPCs that a batch of changes concerns."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.ec2.members import assume_member_roles
from posture.ec2.observer import Observer
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.changes import Evaluator
from posture.evaluation.scope_resolver import ScopeResolver
from posture.runtime import clients
from posture.runtime.deadline import Deadline
from posture.runtime.garbage import keep_loaded_objects
from posture.runtime.metrics import add_counts, build_counter
from posture.runtime.settings import Settings
from posture.store.baselines import BaselineTable
from posture.store.rejections import Rejections
from posture.store.scope_store import Store
from posture.store.watched_accounts import open_watched_accounts

logger = Logger()
metrics = Metrics()
settings = Settings.from_env(os.environ)
metrics.set_default_dimensions(stack=settings.stack)
store = Store(clients.dynamodb(), settings.tables, settings.keep_resolved)
home = Observer(clients.ec2(settings.region.name), settings.region)
watched = open_watched_accounts(clients.dynamodb(), settings)
members = assume_member_roles(settings.region, settings.members, settings.partition, watched)
shared = None
if settings.tables.network:
    # Imported where it is switched on: a cold start of the others need not wait for it.
    from posture.evaluation.shared_facts import build_shared_facts

    count_ahead = build_counter(metrics, "FutureTimes")
    shared = build_shared_facts(clients.dynamodb(), settings, watched, home.now, count_ahead)
evaluator = Evaluator(
    EvaluationPorts(
        observer=home,
        members=members,
        resolver=ScopeResolver(
            lambda region: members.get(region.account, home).ec2,
            store.resource_index,
            watched,
        ),
        store=store,
        baselines=BaselineTable(clients.dynamodb(), settings.tables.baseline),
        rejections=Rejections(clients.dynamodb(), settings.tables.history),
        own_vpc=settings.own_vpc,
        shared=shared,
    )
)
keep_loaded_objects()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Evaluate a batch of changes; return those to retry."""
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    watched.refresh()
    evaluated = evaluator.evaluate(event, deadline)
    add_counts(metrics, evaluated.count_metrics())
    for delay in evaluated.heartbeat_delays:
        metrics.add_metric("HeartbeatLatency", MetricUnit.Seconds, delay)
    return evaluated.build_response()
