"""The scheduled sweep: it evaluates the whole region, whatever events were received."""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.ec2.members import assume_member_roles
from posture.ec2.observer import Observer
from posture.evaluation.account_sweep import sweep_accounts
from posture.runtime import clients
from posture.runtime.deadline import Deadline
from posture.runtime.garbage import keep_loaded_objects
from posture.runtime.metrics import add_counts, build_counter
from posture.runtime.settings import Settings
from posture.store.baselines import BaselineTable
from posture.store.scope_store import Store
from posture.store.watched_accounts import open_watched_accounts

logger = Logger()
metrics = Metrics()
settings = Settings.from_env(os.environ)
metrics.set_default_dimensions(stack=settings.stack)
home = Observer(clients.ec2(settings.region.name), settings.region)
watched = open_watched_accounts(clients.dynamodb(), settings)
members = assume_member_roles(settings.region, settings.members, settings.partition)
store = Store(clients.dynamodb(), settings.tables, settings.keep_resolved)
baselines = BaselineTable(clients.dynamodb(), settings.tables.baseline)
shared = None
if settings.tables.network:
    # Imported where it is switched on: a cold start of the others need not wait for it.
    from posture.evaluation.shared_facts import build_shared_facts

    count_ahead = build_counter(metrics, "FutureTimes")
    shared = build_shared_facts(clients.dynamodb(), settings, watched, home.now, count_ahead)
if settings.members.in_table:
    # functions/sweep_member sweeps the members, one by one; here a sweep of them is asked for.
    from posture.evaluation.member_sweep import ask_for_members, keep_home_swept
    from posture.store.members import MemberTable

    table = MemberTable(clients.dynamodb(), settings.tables.baseline)
keep_loaded_objects()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, int]:  # noqa: ARG001
    """Sweep the region in all accounts; fail when it is incomplete, so that Lambda retries.

    Of members that the baseline table holds only a sweep is asked for.
    """
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    if settings.members.in_table:
        return ask_and_sweep_home(deadline)
    result = sweep_accounts(
        home, members.values(), store, baselines, deadline=deadline, shared=shared
    )
    add_counts(metrics, result.count_metrics())
    result.require_complete()
    return result.count_metrics()


def ask_and_sweep_home(deadline: Deadline) -> dict[str, int]:
    """Ask for a sweep of each member, and sweep the monitor's own account."""
    watched.refresh()
    began_at, account = home.now(), settings.region.account
    asked = ask_for_members(table, account, deadline)
    if asked.figures.active:
        age = asked.figures.longest_age
        metrics.add_metric("LongestSinceMemberSweep", MetricUnit.Seconds, age)
    result = sweep_accounts(home, (), store, baselines, deadline=deadline, shared=shared)
    counts = Counter(result.count_metrics())
    counts.update(asked.count_metrics())  # both count FutureTimes
    add_counts(metrics, counts)
    result.require_complete()
    keep_home_swept(table, account, began_at)
    asked.require_complete()
    return counts
