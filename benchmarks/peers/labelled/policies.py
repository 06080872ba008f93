"""Endpoints whose policies are labelled, each question in a file of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from network_builder import RegionBuilder

from labelled.case import HOME, LabelledCase

FILES = {
    "allows untrusted principals": "untrusted_principals.yaml",
    "allows full access": "full_access.yaml",
    "allows untrusted resources": "untrusted_resources.yaml",
}
SERVICE = "secretsmanager"
DEFAULT = (
    "the default policy allows full access to any principal "
    "(PrivateLink: Control access using policies)"
)


def list_isolated_regions() -> list[str]:
    """Return the regions in which a case is alone."""
    return [each["region"] for file in FILES.values() for each in _read(file) if "region" in each]


def build_cases(account: RegionBuilder) -> Iterator[LabelledCase]:
    """Create an endpoint for each policy of the account's region; yield the cases."""
    vpc, (a, _, b) = account.create_network()
    for question, file in FILES.items():
        for each in _read(file):
            if each.get("region", HOME) == account.region:
                endpoint = account.create_endpoint(vpc, [a, b], each.get("service", SERVICE))
                statements = each["statements"]
                if "many" in each:
                    statements = [*statements, *_build_many(**each["many"])]
                _set_policy(account, vpc, endpoint, statements)
                yield _label(question, endpoint, each)
        if account.region == HOME:
            endpoint = account.create_endpoint(vpc, [a, b], SERVICE)
            yield LabelledCase(question, "default policy", (endpoint,), bad=True, why=DEFAULT)


def _read(file: str) -> list[dict[str, Any]]:
    path = Path(__file__).with_name(file)
    cases: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return cases


def _build_many(count: int, effect: str, key: str, pattern: str) -> Iterator[dict[str, Any]]:
    """Yield statements, each with another pattern: the digits are 1 to 9, and the number itself."""
    for number in range(count):
        values = 1 + number % 9, 1 + number // 9 % 9, number
        condition = {"StringLike": {key.format(*values): pattern.format(*values)}}
        every = {"Principal": "*", "Action": "*", "Resource": "*"}
        yield {"Effect": effect, **every, "Condition": condition}


def _set_policy(account: RegionBuilder, vpc: str, endpoint: str, statements: Any) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    document = document.replace("OWN-ENDPOINT", endpoint).replace("OWN-VPC", vpc)
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=document)


def _label(question: str, endpoint: str, stated: dict[str, Any]) -> LabelledCase:
    return LabelledCase(
        question=question,
        name=stated["name"],
        resources=(endpoint,),
        bad=stated["bad"],
        why=f"{stated['why']} ({'' if ':' in stated['page'] else 'IAM: '}{stated['page']})",
        region=stated.get("region", HOME),
    )
