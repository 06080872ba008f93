"""Creates every AWS client, with bounded timeouts and adaptive retries."""

from __future__ import annotations

import copy
import os
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.loaders import Loader
from botocore.session import Session, get_session

from posture.runtime.request_bodies import write_transactions_at_once
from posture.runtime.response_parsers import use_lean_parsers

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_securityhub import SecurityHubClient
    from mypy_boto3_sns import SNSClient

SURVEY_MODELS = Path(__file__).parent.parent / "survey" / "models"
_creating = Lock()
CONCURRENCY = 10  # concurrent requests; the connection pool has the same size

CONFIG = Config(
    # In adaptive mode the client slows down once EC2 throttles it.
    # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
    retries={"mode": "adaptive", "total_max_attempts": 5},
    connect_timeout=3,
    read_timeout=15,
    max_pool_connections=CONCURRENCY,
    # CloudTrail shows it. A fixed value spares botocore composing one for every request.
    user_agent="vpc-endpoint-posture",
)
# The tests run with botocore's validation of parameters. In production it would take a tenth of the
# time of each call and could find nothing new.
CONFIG_WITHOUT_VALIDATION = CONFIG.merge(Config(parameter_validation=False))


class BundledModels(Loader):
    """Loads service models without first searching a thousand folders for available services.

    The search would take 18 milliseconds of every cold start.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's name
        """List the services that this module creates clients of."""
        return [
            "dynamodb",
            "ec2",
            "networkmanager",
            "route53",
            "route53profiles",
            "route53resolver",
            "s3",
            "securityhub",
            "sns",
            "sts",
        ]


@lru_cache(maxsize=1)
def session() -> Session:
    """Return the process's only session, which holds credentials and the parsed service models.

    It is a session of botocore, as nothing here needs boto3's resources and S3 transfers.
    """
    created = get_session()
    path = created.get_config_variable("data_path")
    models = BundledModels(path.split(os.pathsep) if path else None)
    created.register_component("data_loader", models)
    use_lean_parsers(created)
    return created


@lru_cache(maxsize=64)
def ec2(region: str) -> EC2Client:
    """Return the EC2 client of a region."""
    return cast("EC2Client", _create(session(), "ec2", region))


def member_ec2(role_arn: str, external_id: str, region: str) -> EC2Client:
    """Create the EC2 client of a member account, which assumes the role at its first request.

    If the role cannot be assumed, every request raises the AccessDenied error of AWS STS. The
    client has credentials, retries and a rate of its own; the members share parsed service models
    and connections.
    """
    member = assume_role(session(), role_arn, external_id=external_id)
    client = _create(member, "ec2", region)
    _endpoint(client)["http_session"] = _open_connections(region)
    return cast("EC2Client", client)


@lru_cache(maxsize=64)
def _open_connections(region: str) -> Any:
    """Open the connections to EC2 that the clients of all members share.

    They know no credentials: each request is signed for itself. A connection of its own would take
    20 ms of a processor to read the authorities that it trusts, before the handshake.
    """
    # A batch reads four scopes at once.
    config = CONFIG_WITHOUT_VALIDATION.merge(Config(max_pool_connections=4 * CONCURRENCY))
    return _endpoint(session().create_client("ec2", region, config=config))["http_session"]


def create_client(of: Session, service: str, region: str) -> Any:
    """Create a client of a session, one thread at a time: botocore is not made for several."""
    with _creating:
        return _create(of, service, region)


def open_member_session(role_arn: str, external_id: str) -> Session:
    """Open a session with the role of a member account, which is assumed at the first request."""
    with _creating:
        return assume_role(session(), role_arn, external_id=external_id)


def complete_models(of: Session) -> Session:
    """Let a session know members of responses that botocore's own models still lack.

    They are `sdk-extras` beside the models of the survey, which finds them by `AWS_DATA_PATH`.
    Behind botocore's folders, the reduced models there take the place of none.
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_HostedZoneFeatures.html
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_route53profiles_ProfileAssociation.html
    """
    paths = of.get_component("data_loader").search_paths
    if str(SURVEY_MODELS) not in paths:
        paths.append(str(SURVEY_MODELS))
    return of


def assume_role(
    base: Session,
    role_arn: str,
    region: str | None = None,
    *,
    external_id: str | None = None,
    policy: str | None = None,
) -> Session:
    """Return a session with the credentials of a role, which it assumes when they are needed.

    Args:
        base: The session that may assume the role; the new one shares its service models.
        role_arn: The role.
        region: The region of AWS STS that is asked; None: that of the settings.
        external_id: What the trust policy of the role asks for.
        policy: A session policy in JSON, which restricts what the role allows.
    """
    given = {"RoleSessionName": "posture", "ExternalId": external_id, "Policy": policy}

    def open_sts(*_: Any, **_credentials: str) -> Any:
        """Return the client of the base session, whose credentials are those that are given."""
        return _open_sts(base, region)

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=open_sts,
        source_credentials=base.get_credentials(),
        role_arn=role_arn,
        extra_args={name: value for name, value in given.items() if value},
    )
    # A new session would register botocore's hundred handlers again: more than half of the time
    # that a client takes.
    member = copy.copy(base)
    credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    vars(member)["_credentials"] = credentials  # botocore has no public way to set them
    return member


@lru_cache(maxsize=8)
def _open_sts(base: Session, region: str | None) -> Any:
    """Return the STS client of a session, one for all roles that it assumes."""
    with _creating:
        return _create(base, "sts", region)


def _endpoint(client: Any) -> dict[str, Any]:
    """Return the attributes of what sends a client's requests, which botocore keeps to itself."""
    return cast("dict[str, Any]", vars(vars(client)["_endpoint"]))


@lru_cache(maxsize=1)
def dynamodb() -> DynamoDBClient:
    """Return the DynamoDB client of the function's region."""
    client = _create(session(), "dynamodb")
    write_transactions_at_once(client)
    return cast("DynamoDBClient", client)


@lru_cache(maxsize=1)
def sns() -> SNSClient:
    """Return the SNS client of the function's region."""
    return cast("SNSClient", _create(session(), "sns"))


@lru_cache(maxsize=1)
def s3() -> S3Client:
    """Return the S3 client of the function's region."""
    return cast("S3Client", _create(session(), "s3"))


@lru_cache(maxsize=1)
def security_hub() -> SecurityHubClient:
    """Return the Security Hub client of the function's region."""
    return cast("SecurityHubClient", _create(session(), "securityhub"))


def _create(of: Session, service: str, region: str | None = None, **options: Any) -> Any:
    """Create a client; botocore passes `options` of its own for the client that assumes a role."""
    options["config"] = CONFIG_WITHOUT_VALIDATION
    return of.create_client(service, region, **options)
