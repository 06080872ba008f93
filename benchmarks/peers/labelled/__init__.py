"""The labelled set: cases with the correct answer for each, and its reason."""

from __future__ import annotations

import os
from collections.abc import Iterator

import boto3

os.environ["MOTO_ACCOUNT_ID"] = "111122223333"  # moto reads it when it is imported

from labelled import endpoints, groups, policies, services
from labelled.account_builder import AccountBuilder
from labelled.case import HOME, LabelledCase


def build_cases(session: boto3.Session) -> Iterator[LabelledCase]:
    """Create every resource; yield its case."""
    home = AccountBuilder(session, HOME)
    for family in (policies, endpoints, groups, services):
        yield from family.build_cases(home)
    for region in policies.list_isolated_regions():
        yield from policies.build_cases(AccountBuilder(session, region))
