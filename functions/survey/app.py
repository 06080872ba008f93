"""The survey of the shared network: what a batch of changes concerns, or all of it on schedule."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from posture.errors import SettingsError
from posture.organization.members import open_members
from posture.runtime import clients
from posture.runtime.deadline import Deadline
from posture.runtime.garbage import keep_loaded_objects
from posture.runtime.metrics import add_counts, build_counter
from posture.runtime.settings import Settings
from posture.store.shared_network import SharedNetworkTable
from posture.store.watched_accounts import open_watched_accounts
from posture.survey.surveyor import Surveyor

logger = Logger()
metrics = Metrics()
settings = Settings.from_env(os.environ)
metrics.set_default_dimensions(stack=settings.stack)
if not settings.tables.network:
    raise SettingsError("NETWORK_TABLE: expected the name of a DynamoDB table")
watched = open_watched_accounts(clients.dynamodb(), settings)
network = SharedNetworkTable(
    clients.dynamodb(), settings.tables.network, build_counter(metrics, "FutureTimes")
)
clients_of = open_members(settings.region, settings.members, settings.partition)
keep_loaded_objects()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Survey what a batch of changes concerns and return the messages to retry.

    The schedule's event is empty: then everything is surveyed, and what could not be read is an
    error, so that Lambda retries.
    """
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    watched.refresh()
    surveyor = Surveyor(network, clients_of, settings.region, watched.ids)
    if "Records" in event or "detail" in event:
        result = surveyor.survey_changes(event, deadline)
        add_counts(metrics, result.count_metrics())
        return result.build_response()
    result = surveyor.survey_all(deadline)
    add_counts(metrics, result.count_metrics())
    metrics.add_metric("SharedNetworkAge", MetricUnit.Seconds, result.age)
    result.require_complete()
    return result.count_metrics()
