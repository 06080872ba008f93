"""The labelled set: cases with the correct answer for each, and its reason."""

import sys
from collections.abc import Iterator
from pathlib import Path

import boto3

sys.path.append(str(Path(__file__).parents[2]))

from network_builder import RegionBuilder

from labelled import endpoints, groups, paths, policies, services
from labelled.case import HOME, LabelledCase


def build_cases(session: boto3.Session) -> Iterator[LabelledCase]:
    """Create every resource; yield its case."""
    home = RegionBuilder(session, HOME)
    for family in (policies, endpoints, groups, services, paths):
        yield from family.build_cases(home)
    for region in policies.list_isolated_regions():
        yield from policies.build_cases(RegionBuilder(session, region))
