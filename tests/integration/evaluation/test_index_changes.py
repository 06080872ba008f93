"""What leads to a known VPC is corrected in the resource index without reading it."""

from typing import Any

from monitor_stage import Stage
from stack_tables import TABLES


def evaluate(stage: Stage) -> list[str]:
    """Evaluate what is on the trail; return the indexes that were queried."""
    indexes: list[str] = []

    def record(params: Any, **_: Any) -> None:
        indexes.append(params.get("IndexName", ""))

    events = stage.dynamodb.meta.events
    events.register("provide-client-params.dynamodb.Query", record)
    assert stage.evaluate().failed == ()
    events.unregister("provide-client-params.dynamodb.Query", record)
    return list(filter(None, indexes))


def load_entry(stage: Stage, resource: str) -> dict[str, Any]:
    """Load what the index holds of a resource of the full VPC."""
    key: Any = {"resource": {"S": resource}, "scope": {"S": str(stage.network.scope)}}
    return dict(stage.dynamodb.get_item(TableName=TABLES.ownership, Key=key).get("Item", {}))


def test_ids_that_come_and_go_are_found_by_the_stored_snapshot(stage: Stage) -> None:
    """A table that is made leads to its VPC; one that is deleted does so for 90 days."""
    stage.sweep()
    tables: list[str] = []
    for _ in range(2):
        made = stage.alice.create_route_table(VpcId=stage.network.vpc)
        tables.append(made["RouteTable"]["RouteTableId"])
        assert evaluate(stage) == []
    assert [load_entry(stage, each).keys() for each in tables] == [{"resource", "scope"}] * 2
    stage.alice.delete_route_table(RouteTableId=tables[0])
    assert evaluate(stage) == []
    assert "expires_at" in load_entry(stage, tables[0])
    assert "expires_at" not in load_entry(stage, tables[1])
    assert "expires_at" not in load_entry(stage, stage.network.subnet)


def test_an_index_of_other_ids_is_read(stage: Stage) -> None:
    """As where another version wrote it, or a month ago: it is compared, and corrected."""
    stage.sweep()
    stage.dynamodb.update_item(
        TableName=TABLES.findings,
        Key={"scope": {"S": str(stage.network.scope)}, "item": {"S": "#head"}},
        UpdateExpression="SET ownership_digest = :other",
        ExpressionAttributeValues={":other": {"S": "0"}},
    )
    stage.alice.create_route_table(VpcId=stage.network.vpc)
    assert evaluate(stage) == ["by-scope"]
