"""What nobody can read ends in the dead-letter queue, and holds up nothing."""

from posture.model.finding import FindingStatus
from posture_cli.demo.demo_run import DemoRun
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller
from stack_template import PATH


def test_a_malformed_change_ends_in_the_dead_letter_queue() -> None:
    """With its reason kept, and nothing else held up."""
    with EmbeddedAws(PATH.parent) as aws:
        _refused_beside_a_good_one(aws)


def _refused_beside_a_good_one(aws: EmbeddedAws) -> None:
    story = DemoRun(aws)
    story.build()
    url = aws.stack.outputs["ChangesQueueUrl"]
    sqs = aws.session.client("sqs")
    sqs.send_message(QueueUrl=url, MessageBody='{"detail": {"eventName": 3}}')
    caller = ApiCaller(aws.account, "NetworkAdmin", "alice")
    vpc = story.organisation.analytics
    aws.ec2(caller).modify_vpc_attribute(VpcId=vpc.id, EnableDnsHostnames={"Value": False})
    aws.settle()
    found = [each for each in story.load_findings().values() if each.scope.subject == vpc.id]
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
