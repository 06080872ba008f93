"""A malformed message ends in the dead-letter queue and blocks no other."""

from posture.model.finding import FindingStatus
from posture_cli.demo.demo_run import DemoRun
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from stack_template import PATH


def test_a_malformed_change_ends_in_the_dead_letter_queue() -> None:
    """Its reason is stored, and other changes are evaluated."""
    with EmbeddedAws(PATH.parent) as aws:
        _send_malformed_and_valid_change(aws)


def _send_malformed_and_valid_change(aws: EmbeddedAws) -> None:
    demo = DemoRun(aws)
    demo.build()
    url = aws.stack.outputs["ChangesQueueUrl"]
    sqs = aws.session.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody='{"detail": {"eventName": 3}}')
    caller = ApiCaller(aws.account, "NetworkAdmin", "alice")
    vpc = demo.organization.analytics
    aws.ec2(caller).modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": False})
    aws.settle()
    found = [each for each in demo.load_findings().values() if each.scope.subject == vpc.id]
    assert FindingStatus.OPEN in {each.status for each in found}
    dead = aws.stack.outputs["ChangesDeadLetterQueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=dead)["Messages"]
    assert "eventName" in message["Body"]
    refused = aws.session.client("dynamodb").query(
        TableName=aws.stack.outputs["HistoryTableName"],
        KeyConditionExpression="#scope = :rejected",
        ExpressionAttributeNames={"#scope": "scope"},
        ExpressionAttributeValues={":rejected": {"S": "rejected"}},
    )["Items"]
    assert [each["reason"]["S"] for each in refused] == [
        "detail.recipientAccountId: expected a 12-digit account ID, got nothing"
    ]
