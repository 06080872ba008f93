"""The consumer of the shared network's stream: it evaluates what a changed fact concerns."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.ec2.members import assume_member_roles
from posture.ec2.observer import Observer
from posture.errors import SettingsError
from posture.evaluation.batch import EvaluationPorts
from posture.evaluation.refresh import Refresher
from posture.evaluation.scope_resolver import ScopeResolver
from posture.evaluation.shared_facts import build_shared_facts
from posture.runtime import clients
from posture.runtime.deadline import Deadline
from posture.runtime.garbage import keep_loaded_objects
from posture.runtime.metrics import add_counts, build_counter
from posture.runtime.settings import Settings
from posture.store.baselines import BaselineTable
from posture.store.findings import Findings
from posture.store.rejections import Rejections
from posture.store.scope_store import Store
from posture.store.watched_accounts import open_watched_accounts

logger = Logger()
metrics = Metrics()
settings = Settings.from_env(os.environ)
metrics.set_default_dimensions(stack=settings.stack)
if not settings.tables.network:
    raise SettingsError("NETWORK_TABLE: expected the name of a DynamoDB table")
store = Store(clients.dynamodb(), settings.tables, settings.keep_resolved)
home = Observer(clients.ec2(settings.region.name), settings.region)
watched = open_watched_accounts(clients.dynamodb(), settings)
members = assume_member_roles(settings.region, settings.members, settings.partition, watched)
count_ahead = build_counter(metrics, "FutureTimes")
shared = build_shared_facts(clients.dynamodb(), settings, watched, home.now, count_ahead)
refresher = Refresher(
    EvaluationPorts(
        observer=home,
        members=members,
        resolver=ScopeResolver(
            lambda region: members.get(region.account, home).ec2, store.resource_index
        ),
        store=store,
        baselines=BaselineTable(clients.dynamodb(), settings.tables.baseline),
        rejections=Rejections(clients.dynamodb(), settings.tables.history),
        shared=shared,
    ),
    shared,
    Findings(clients.dynamodb(), settings.tables.findings),
)
keep_loaded_objects()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Evaluate the dependents of changed facts; return the stream records to retry."""
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    watched.refresh()
    result = refresher.refresh(event, deadline)
    add_counts(metrics, result.count_metrics())
    return result.build_response()
