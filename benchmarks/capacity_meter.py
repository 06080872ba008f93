"""Measure the capacity units that evaluations read and write in DynamoDB.

Run: `.venv/bin/python benchmarks/capacity_meter.py [VPCS]`; prints one JSON object: units per VPC
of a first and a steady sweep, of one change and of one transition. Sizes are counted as DynamoDB
does. An index is counted whenever its item is written, which is the maximum.
"""

import json
import sys
from math import ceil
from typing import Any

from synthetic_aws import REGION, Json, SyntheticAws
from synthetic_region import (
    build_change,
    build_evaluator,
    build_queue_event,
    build_region,
    build_sweep,
)

from stack_tables import INDEXES

READ, WRITE = 4096, 1024  # bytes of a unit
ONE_UNIT = {"by-region", "all-scopes"}  # indexes with keys and a few attributes


def measure_value(value: Any) -> int:
    """Return the bytes of an attribute's value as DynamoDB counts them.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    ((kind, held),) = value.items()
    if kind == "M":
        return 3 + sum(1 + len(name) + measure_value(each) for name, each in held.items())
    if kind == "L":
        return 3 + sum(1 + measure_value(each) for each in held)
    if kind in {"SS", "NS"}:
        return sum(len(each.encode()) for each in held)
    if kind == "N":
        return ceil(len(held) / 2) + 1
    if kind == "B":
        return len(held) * 3 // 4  # base64
    return len(held.encode()) if kind == "S" else 1


def measure_item(item: Json) -> int:
    """Return the bytes of an item, with its attribute names."""
    return sum(len(name) + measure_value(value) for name, value in item.items())


class MeteredAws(SyntheticAws):
    """Counts the capacity units of its tables."""

    _factor = 1  # of a write's units: two in a transaction

    def reset_meter(self) -> None:
        """Count from zero."""
        self.units = {"read": 0.0, "write": 0.0}

    def _call_dynamodb(self, operation: str, request: Json) -> Json:
        self._factor = 2 if operation == "TransactWriteItems" else 1
        answer = super()._call_dynamodb(operation, request)
        if operation in {"GetItem", "Query"}:
            items = answer.get("Items", [answer["Item"]] if "Item" in answer else [])
            units = max(1, ceil(sum(map(measure_item, items)) / READ))
            self.units["read"] += units * (1.0 if request.get("ConsistentRead") else 0.5)
        elif operation == "BatchGetItem":
            ((table, wanted),) = request["RequestItems"].items()
            units = sum(self._count_get(table, key) for key in wanted["Keys"])
            self.units["read"] += units * (1.0 if wanted.get("ConsistentRead") else 0.5)
        elif operation == "TransactWriteItems":
            deleted = [each["Delete"] for each in request["TransactItems"] if "Delete" in each]
            self.units["write"] += self._factor * len(deleted)
        return answer

    def _count_get(self, table: str, key: Json) -> int:
        return max(1, ceil(measure_item(self._find(table, key)) / READ))

    def _put(self, table: str, item: Json) -> None:
        super()._put(table, item)
        self._count_write(table, item)

    def _update(self, request: Json) -> None:
        super()._update(request)
        self._count_write(request["TableName"], self._find(request["TableName"], request["Key"]))

    def _count_write(self, table: str, item: Json) -> None:
        units = ceil(max(1, measure_item(item)) / WRITE)
        self.units["write"] += units * self._factor
        for name, keys in INDEXES.get(table, {}).items():
            if all(key in item for key in keys):
                self.units["write"] += 1 if name in ONE_UNIT else units

    def measure_transition(self) -> float:
        """Return the average units for writing a finding and its history row."""
        self.reset_meter()
        self._factor = 2
        findings = [
            (table, item)
            for table in ("findings", "history")
            for items in self.tables[table].values()
            for item in items.values()
            if "rule" in item
        ]
        for table, item in findings:
            self._count_write(table, item)
        return 2 * self.units["write"] / len(findings)


def main(vpcs: int) -> None:
    """Measure and print."""
    session, aws = build_region(vpcs, MeteredAws)
    assert isinstance(aws, MeteredAws)

    def average() -> dict[str, float]:
        return {kind: round(each / vpcs, 2) for kind, each in aws.units.items()}

    results: dict[str, Any] = {"vpcs": vpcs, "region": REGION}
    sweep = build_sweep(session)
    for name in ("first", "steady"):
        aws.reset_meter()
        result = sweep.run()
        results[name] = average()
        results[f"{name}_transitions"] = sum(len(each.transitions) for each in result.results)
    results["transition"] = round(aws.measure_transition(), 1)
    evaluator = build_evaluator(session)
    aws.reset_meter()
    for number, row in enumerate(aws.rows("DescribeVpcs")):
        evaluator.evaluate(build_queue_event([build_change(row["VpcId"], number)]))
    results["change"] = average()
    print(json.dumps(results))


if __name__ == "__main__":
    main(int((sys.argv[1:] or ["20"])[0]))
