"""Writes members to the deployed baseline table as the state machine does."""

from posture_cli.embedded.aws import EmbeddedAws

JOINED = "2026-11-20T00:00:00.000Z"


def write_member(
    aws: EmbeddedAws, account: str, state: str = "active", since: str = JOINED
) -> None:
    """Write a member, and let the stack process it."""
    written = {
        "schema": {"N": "4"},
        "state": {"S": state},
        "source": {"S": "organization"},
        "since": {"S": since},
        "last_seen": {"S": JOINED},
    }
    aws.session.client("dynamodb").update_item(
        TableName=aws.stack.physical_id("BaselineTable"),
        Key={"kind": {"S": "member"}, "name": {"S": account}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in written),
        ExpressionAttributeNames={f"#{name}": name for name in written},
        ExpressionAttributeValues={f":{name}": value for name, value in written.items()},
    )
    aws.settle()
