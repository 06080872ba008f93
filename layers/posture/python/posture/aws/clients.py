"""The one place that makes AWS clients: patient where it helps, bounded everywhere."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_sns import SNSClient

CONCURRENCY = 10  # requests in flight at once; the connection pool holds as many

CONFIG = Config(
    # Adaptive: the client slows itself down once EC2's request quota is hit.
    # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
    retries={"mode": "adaptive", "total_max_attempts": 5},
    connect_timeout=3,
    read_timeout=15,
    max_pool_connections=CONCURRENCY,
)


@lru_cache(maxsize=1)
def session() -> boto3.Session:
    """Give the process's one session: it holds credentials and the parsed service models."""
    return boto3.Session()


@lru_cache(maxsize=64)
def ec2(region: str) -> EC2Client:
    """Give the EC2 client of a region; the endpoint follows the environment as boto3 has it."""
    return session().client("ec2", region_name=region, config=CONFIG)


@lru_cache(maxsize=1)
def dynamodb() -> DynamoDBClient:
    """Give the DynamoDB client of the function's own region."""
    return session().client("dynamodb", config=CONFIG)


@lru_cache(maxsize=1)
def sns() -> SNSClient:
    """Give the SNS client of the function's own region."""
    return session().client("sns", config=CONFIG)
