"""What a look at a VPC reads and writes in DynamoDB, in the units that are paid for.

Run: `.venv/bin/python benchmarks/units.py [VPCS]`; prints one JSON object: units a VPC of a sweep
that finds all new and of one that finds all as it was, of one change and of one transition. Sizes
are counted as DynamoDB counts them, indexes as template.yaml has them; an index is counted whenever
its item is written, which is the most it can cost.
"""

from __future__ import annotations

import json
import sys
from math import ceil
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "tests" / "stages"))

from burst import queue_event, record_of
from synthetic_aws import REGION, Json, SyntheticAws
from world import evaluator_of, region_of, sweeper_of

from stack_tables import INDEXES

READ, WRITE = 4096, 1024  # bytes of a unit
ONE_UNIT = {"by-region", "all-scopes"}  # indexes of keys and a few attributes


def size_of(value: Any) -> int:
    """Give the bytes of an attribute's value as DynamoDB counts them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((kind, held),) = value.items()
    if kind == "M":
        return 3 + sum(1 + len(name) + size_of(each) for name, each in held.items())
    if kind == "L":
        return 3 + sum(1 + size_of(each) for each in held)
    if kind in {"SS", "NS"}:
        return sum(len(each.encode()) for each in held)
    if kind == "N":
        return ceil(len(held) / 2) + 1
    if kind == "B":
        return len(held) * 3 // 4  # it travels as base64
    return len(held.encode()) if kind == "S" else 1


def bytes_of(item: Json) -> int:
    """Give the bytes of an item, names included."""
    return sum(len(name) + size_of(value) for name, value in item.items())


class Metered(SyntheticAws):
    """Counts the units of what is asked of its tables."""

    units: dict[str, float]

    def meter(self) -> None:
        """Count anew from here."""
        self.units = {"read": 0.0, "write": 0.0}

    def _dynamodb(self, operation: str, asked: Json) -> Json:
        answer = super()._dynamodb(operation, asked)
        share = 1.0 if asked.get("ConsistentRead") else 0.5
        if operation == "GetItem":
            held = bytes_of(answer["Item"]) if "Item" in answer else 1
            self.units["read"] += share * ceil(held / READ)
        elif operation == "Query":
            held = sum(map(bytes_of, answer["Items"]))
            self.units["read"] += share * max(1, ceil(held / READ))
        elif operation == "TransactWriteItems":
            for write in asked["TransactItems"]:
                ((_, each),) = write.items()
                self._wrote(each, transaction=True)
        elif operation == "BatchWriteItem":
            for table, writes in asked["RequestItems"].items():
                for write in writes:
                    ((_, each),) = write.items()
                    self._wrote({"TableName": table, **each}, transaction=False)
        elif operation in {"PutItem", "UpdateItem", "DeleteItem"}:
            self._wrote(asked, transaction=False)
        return answer

    def _wrote(self, asked: Json, *, transaction: bool) -> None:
        table = asked["TableName"]
        item = asked.get("Item") or self._stored(table, asked["Key"])
        units = ceil(max(1, bytes_of(item)) / WRITE)
        self.units["write"] += units * (2 if transaction else 1)
        for name, keys in INDEXES.get(table, {}).items():
            if all(key in item for key in keys):
                self.units["write"] += 1 if name in ONE_UNIT else units

    def of_transition(self) -> float:
        """Give the units that writing a finding and its row of history takes on average."""
        aside = self.units
        self.meter()
        findings = [
            (table, item)
            for table in ("findings", "history")
            for items in self.tables[table].values()
            for item in items.values()
            if "rule" in item
        ]
        for table, item in findings:
            self._wrote({"TableName": table, "Item": item}, transaction=True)
        written, self.units = self.units["write"], aside
        return 2 * written / len(findings)

    def _stored(self, table: str, key: Json) -> Json:
        values = [next(iter(value.values())) for value in key.values()]
        partition, *sort = values
        return self.tables[table][partition].get(sort[0] if sort else "", key)


def main(vpcs: int) -> None:
    """Measure and print."""
    session, aws = region_of(vpcs, Metered)
    assert isinstance(aws, Metered)
    aws.meter()
    told: dict[str, Any] = {"vpcs": vpcs, "region": REGION}
    sweeper = sweeper_of(session)
    for name in ("first", "steady"):
        aws.meter()
        swept = sweeper.run()
        told[name] = {kind: round(each / vpcs, 2) for kind, each in aws.units.items()}
        told[f"{name}_transitions"] = sum(len(each.transitions) for each in swept.results)
    told["transition"] = round(aws.of_transition(), 1)
    evaluator = evaluator_of(session)
    chosen = [row["VpcId"] for row in aws.rows("DescribeVpcs")]
    aws.meter()
    for number, vpc in enumerate(chosen):
        evaluator.evaluate(queue_event([record_of(vpc, number)]))
    told["change"] = {kind: round(each / len(chosen), 2) for kind, each in aws.units.items()}
    print(json.dumps(told))


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["20"])[0]))
