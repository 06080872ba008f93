"""The consumer of the baseline table's stream: it sweeps the member accounts that are due."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.ec2.members import assume_member_roles
from posture.ec2.observer import Observer
from posture.errors import SettingsError
from posture.evaluation.member_sweep import MemberSweeper
from posture.runtime import clients
from posture.runtime.deadline import Deadline
from posture.runtime.garbage import keep_loaded_objects
from posture.runtime.metrics import add_counts, build_counter
from posture.runtime.settings import Settings
from posture.store.baselines import BaselineTable
from posture.store.members import MemberTable
from posture.store.scope_store import Store
from posture.store.watched_accounts import open_watched_accounts

logger = Logger()
metrics = Metrics()
settings = Settings.from_env(os.environ)
metrics.set_default_dimensions(stack=settings.stack)
if not settings.members.in_table:
    raise SettingsError(f"MEMBERS: expected table, got {os.environ.get('MEMBERS', '')!r}")
home = Observer(clients.ec2(settings.region.name), settings.region)
watched = open_watched_accounts(clients.dynamodb(), settings)
members = assume_member_roles(settings.region, settings.members, settings.partition, watched)
shared = None
if settings.tables.network:
    # Imported where it is switched on: a cold start of the others need not wait for it.
    from posture.evaluation.shared_facts import build_shared_facts

    count_ahead = build_counter(metrics, "FutureTimes")
    shared = build_shared_facts(clients.dynamodb(), settings, watched, home.now, count_ahead)
sweeper = MemberSweeper(
    MemberTable(clients.dynamodb(), settings.tables.baseline),
    home,
    members,
    Store(clients.dynamodb(), settings.tables, settings.keep_resolved),
    BaselineTable(clients.dynamodb(), settings.tables.baseline),
    shared=shared,
)
keep_loaded_objects()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Sweep the members that stream records name, where they are due; return those to retry."""
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    if shared:
        watched.refresh()
    result = sweeper.sweep(event, deadline)
    add_counts(metrics, result.count_metrics())
    return result.build_response()
