"""Endpoints whose policies are labelled: strangers.yaml and full_access.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from labelled.account import Account
from labelled.case import HOME, Case

HERE = Path(__file__).parent
FILES = {"strangers get in": "strangers.yaml", "everything gets through": "full_access.yaml"}
SERVICE = "secretsmanager"
DEFAULT = "the default policy allows all to everybody (PrivateLink: Control access using policies)"


def apart() -> list[str]:
    """Give the regions in which a set-up stands alone."""
    return [each["region"] for file in FILES.values() for each in _read(file) if "region" in each]


def cases(account: Account) -> Iterator[Case]:
    """Build an endpoint for each policy that stands in the account's region."""
    vpc, (a, _, b) = account.vpc()
    for question, file in FILES.items():
        for each in _read(file):
            if each.get("region", HOME) == account.region:
                made = account.endpoint(vpc, [a, b], each.get("service", SERVICE))
                _set_policy(account, vpc, made, each["statements"])
                yield _case(question, made, each)
        if account.region == HOME:
            made = account.endpoint(vpc, [a, b], SERVICE)
            yield Case(question, "the default policy", frozenset({made}), bad=True, why=DEFAULT)


def _read(file: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = yaml.safe_load((HERE / file).read_text(encoding="utf-8"))
    return told


def _set_policy(account: Account, vpc: str, endpoint: str, statements: Any) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    document = document.replace("OWN-ENDPOINT", endpoint).replace("OWN-VPC", vpc)
    account.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=document)


def _case(question: str, endpoint: str, told: Mapping[str, Any]) -> Case:
    return Case(
        question=question,
        name=told["name"],
        resources=frozenset({endpoint}),
        bad=told["bad"],
        why=f"{told['why']} ({told['page'] if ':' in told['page'] else 'IAM: ' + told['page']})",
        region=told.get("region", HOME),
    )
