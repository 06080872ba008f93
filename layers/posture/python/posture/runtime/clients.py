"""The one place that makes AWS clients: patient where it helps, bounded everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.loaders import Loader
from botocore.session import Session, get_session

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_securityhub import SecurityHubClient
    from mypy_boto3_sns import SNSClient

CONCURRENCY = 10  # requests in flight at once; the connection pool holds as many

CONFIG = Config(
    # Adaptive: the client slows itself down once EC2's request quota is hit.
    # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
    retries={"mode": "adaptive", "total_max_attempts": 5},
    connect_timeout=3,
    read_timeout=15,
    max_pool_connections=CONCURRENCY,
    # Who asks, as CloudTrail shows it; botocore would put its own together anew for every request.
    user_agent="vpc-endpoint-posture",
)
# The suite holds every call of the functions to botocore's validator, which in production would
# look again at what cannot be otherwise: a tenth of each call.
CONFIG_WITHOUT_VALIDATION = CONFIG.merge(Config(parameter_validation=False))


class OwnModels(Loader):
    """Finds botocore's models without asking first which of 400 services have one.

    botocore lists a thousand folders for that, 18 milliseconds of every start.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's name
        """Give the services that clients are made of here."""
        return ["dynamodb", "ec2", "securityhub", "sns", "sts"]


@lru_cache(maxsize=1)
def session() -> Session:
    """Give the process's one session: it holds credentials and the parsed service models.

    It is botocore's: boto3 adds resources and transfers to S3, which nobody needs here.
    """
    made = get_session()
    path = made.get_config_variable("data_path")
    made.register_component("data_loader", OwnModels(path.split(os.pathsep) if path else None))
    return made


@lru_cache(maxsize=64)
def ec2(region: str) -> EC2Client:
    """Give the EC2 client of a region; the endpoint follows the environment as botocore has it."""
    return cast(
        "EC2Client",
        session().create_client("ec2", region_name=region, config=CONFIG_WITHOUT_VALIDATION),
    )


def member_ec2(role_arn: str, external_id: str, region: str) -> EC2Client:
    """Make the EC2 client of a member account: it assumes the role as soon as it is used.

    Where the role may not be assumed, every call raises STS's AccessDenied. The parsed service
    models are the session's own, so that an account more costs milliseconds.
    """
    base = session()
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=_bounded(base.create_client),
        source_credentials=base.get_credentials(),
        role_arn=role_arn,
        extra_args={"RoleSessionName": "posture", "ExternalId": external_id},
    )
    member = get_session()
    member.register_component("data_loader", base.get_component("data_loader"))
    refreshed = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    vars(member)["_credentials"] = refreshed  # botocore has no public way to hand them in
    return cast(
        "EC2Client",
        member.create_client("ec2", region_name=region, config=CONFIG_WITHOUT_VALIDATION),
    )


def _bounded(create: Callable[..., Any]) -> Callable[..., Any]:
    """Give STS the same time limits as everything else."""

    def client(*names: str, **options: Any) -> Any:
        return create(*names, **{**options, "config": CONFIG_WITHOUT_VALIDATION})

    return client


@lru_cache(maxsize=1)
def dynamodb() -> DynamoDBClient:
    """Give the DynamoDB client of the function's own region."""
    return cast(
        "DynamoDBClient", session().create_client("dynamodb", config=CONFIG_WITHOUT_VALIDATION)
    )


@lru_cache(maxsize=1)
def sns() -> SNSClient:
    """Give the SNS client of the function's own region."""
    return cast("SNSClient", session().create_client("sns", config=CONFIG_WITHOUT_VALIDATION))


@lru_cache(maxsize=1)
def security_hub() -> SecurityHubClient:
    """Give the Security Hub client of the function's own region."""
    return cast(
        "SecurityHubClient",
        session().create_client("securityhub", config=CONFIG_WITHOUT_VALIDATION),
    )
