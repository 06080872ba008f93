"""The labelled set: set-ups with the answer that is right for each, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3

os.environ["MOTO_ACCOUNT_ID"] = "111122223333"  # moto reads it when it is imported

from labelled import endpoints, groups, policies, services
from labelled.account import Account
from labelled.case import HOME, Case


def build(session: boto3.Session) -> Iterator[Case]:
    """Build every set-up; give its case."""
    home = Account(session, HOME)
    for kind in (policies, endpoints, groups, services):
        yield from kind.cases(home)
    for region in policies.apart():
        yield from policies.cases(Account(session, region))
