"""A head of the shared network that has not come yet is counted by each function that reads it.

By the functions of the template, with members in the baseline table; the survey repairs it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from change_records import build_record
from member_items import write_member
from posture.runtime.settings import Tables
from posture_cli.audit.chain_walk import ChainFault
from posture_cli.audit.verify import Verifier
from posture_cli.embedded.aws import EmbeddedAws
from stack_template import PATH

PARAMETERS = {
    "SharedNetwork": "on",
    "MembersFrom": "organization",
    "MemberParents": "ou-abcd-11111111",
    "OrganizationId": "o-exampleorgid",
    "MemberExternalId": "our-external-id",
}
MEMBERS = ("111111111111", "222222222222", "333333333333")
LONG_AGO = "2026-01-01T00:00:00.000000Z"
LATER = "2096-01-01T00:00:00.000000Z"
READERS = ("evaluate", "refresh", "sweep", "sweep_member", "survey")


@dataclass
class Monitor:
    """A stack whose shared network was surveyed."""

    aws: EmbeddedAws
    read: dict[str, int] = field(default_factory=dict)

    def edit(self, item: str, attribute: str, at: str = LATER) -> None:
        """Set a time of the shared network, as someone with write access does."""
        self.aws.session.client("dynamodb").update_item(
            TableName=self.aws.stack.physical_id("NetworkTable"),
            Key={"region": {"S": self.aws.region}, "item": {"S": item}},
            UpdateExpression=f"SET {attribute} = :at",
            ExpressionAttributeValues={":at": {"S": at}},
        )

    def evaluate_all(self, joining: str) -> None:
        """Let each function but the survey read the network; sweep an account that joins."""
        vpc = self.aws.ec2().describe_vpcs()["Vpcs"][0]["VpcId"]
        record = build_record("ModifyVpcAttribute", {"vpcId": vpc})
        self.aws.put_record(record | {"recipientAccountId": self.aws.account})
        self.aws.functions["posture-sweep"]({})
        write_member(self.aws, joining)

    def survey(self) -> None:
        """Survey the whole network."""
        self.aws.functions["posture-survey"]({})

    def count(self) -> Mapping[str, int]:
        """Return how many future times each function counted since the last time."""
        counts = {}
        for name in READERS:
            log = self.aws.functions[f"posture-{name}"].log.getvalue()
            lines = log[self.read.get(name, 0) :].splitlines()
            self.read[name] = len(log)
            metrics = [json.loads(line) for line in lines if '"_aws"' in line]
            counts[name] = int(sum(sum(each.get("FutureTimes", [])) for each in metrics))
        return counts

    def find_fault(self) -> ChainFault | None:
        """Return what `posture verify` finds wrong with the shared network."""
        names = ("Findings", "History", "Baseline", "Ownership", "Idempotency", "Network")
        tables = Tables(*(self.aws.stack.physical_id(f"{each}Table") for each in names))
        verifier = Verifier(self.aws.session.client("dynamodb"), tables)
        return next((it.fault for it in verifier.verify_network(self.aws.region)), None)


@pytest.fixture(scope="module")
def monitor() -> Iterator[Monitor]:
    """Survey and sweep an account and its first member."""
    with EmbeddedAws(PATH.parent, parameters=PARAMETERS) as aws:
        monitor = Monitor(aws)
        monitor.evaluate_all(MEMBERS[0])
        monitor.survey()
        monitor.count()
        yield monitor


def test_a_head_that_has_not_come_is_counted_by_all_that_read_it(monitor: Monitor) -> None:
    """Until a survey replaces it; `posture verify` names it meanwhile."""
    assert monitor.find_fault() is None
    monitor.edit("#head", "changed_at")
    fault = monitor.find_fault()
    assert fault
    assert (fault.entry, "in the future" in fault.problem) == ("#head", True)
    monitor.evaluate_all(MEMBERS[1])
    counts = monitor.count()
    assert {name for name, number in counts.items() if number} == {*READERS} - {"survey"}
    monitor.edit(f"part#zones#{monitor.aws.account}", "observed_at", LONG_AGO)
    monitor.survey()
    assert monitor.count()["survey"] == 1
    assert monitor.find_fault() is None
    monitor.evaluate_all(MEMBERS[2])
    monitor.survey()
    assert not any(monitor.count().values())


def test_a_part_that_was_read_in_the_future_is_read_again(monitor: Monitor) -> None:
    """Or facts that cannot be read any more would be used as long as that."""
    name = f"part#zones#{MEMBERS[0]}"
    monitor.edit(name, "observed_at")
    fault = monitor.find_fault()
    assert fault
    assert fault.entry == name
    monitor.survey()
    assert monitor.count()["survey"] == 1
    assert monitor.find_fault() is None


def test_a_sweep_counts_times_of_members_and_of_scopes_together(monitor: Monitor) -> None:
    """Both are read by one invocation, which returns and publishes one number."""
    aws = monitor.aws
    vpc = aws.ec2().describe_vpcs()["Vpcs"][0]["VpcId"]
    scope = f"{aws.account}/{aws.region}/{vpc}"
    for table, key, attribute in (
        ("BaselineTable", {"kind": "member", "name": MEMBERS[0]}, "last_seen"),
        ("FindingsTable", {"scope": scope, "item": "#head"}, "observed_at"),
    ):
        aws.session.client("dynamodb").update_item(
            TableName=aws.stack.physical_id(table),
            Key={name: {"S": value} for name, value in key.items()},
            UpdateExpression=f"SET {attribute} = :at",
            ExpressionAttributeValues={":at": {"S": LATER}},
        )
    assert aws.functions["posture-sweep"]({})["FutureTimes"] == 2
    assert monitor.count()["sweep"] == 2
