"""The calls of a remediation: one after the other, none after a failure, and nothing is guessed."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError
from botocore.stub import ANY, Stubber

from posture.edits.command_line import parse_command
from posture_cli.fix import calls
from posture_cli.fix.calls import CallFailedError, Made, list_calls, make_calls

SEQUENCE = (
    "GROUP=$(aws ec2 create-security-group --group-name endpoints --description x "
    "--vpc-id vpc-1 --query GroupId --output text) && "
    'aws ec2 authorize-security-group-ingress --group-id "$GROUP" --protocol tcp --port 443 '
    "--cidr 10.0.0.0/16 && "
    'aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-1 --add-security-group-ids "$GROUP"'
)
NEW = "sg-0123456789abcdef0"
CREATED = ({"GroupId": NEW}, {"GroupName": "endpoints", "Description": "x", "VpcId": "vpc-1"})
RULE = {
    "GroupId": NEW,
    "IpPermissions": [
        {
            "IpProtocol": "tcp",
            "FromPort": 443,
            "ToPort": 443,
            "IpRanges": [{"CidrIp": "10.0.0.0/16"}],
        }
    ],
}
AUTHORIZE = (
    f"aws ec2 authorize-security-group-ingress --group-id {NEW} --ip-permissions "
    "'IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=10.0.0.0/16}]' --region eu-west-1"
)
MODIFY = (
    f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-1 --add-security-group-ids {NEW} "
    "--region eu-west-1"
)
REVOKE = (
    "aws ec2 revoke-security-group-ingress --group-id sg-1 --protocol tcp --port 443 "
    "--cidr 0.0.0.0/0"
)
ADDED = {"VpcEndpointId": "vpce-1", "AddSecurityGroupIds": [NEW]}


@pytest.fixture(scope="module")
def client() -> Any:
    """Return an EC2 client, whose model is large."""
    return boto3.Session("testing", "testing", region_name="eu-west-1").client("ec2")


@pytest.fixture
def ec2(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Return a stub of EC2 that expects calls in their order; `pauses` holds what was slept."""
    pauses: list[float] = []
    monkeypatch.setattr(calls, "time", SimpleNamespace(sleep=pauses.append))
    with Stubber(client) as stub:
        stub.pauses = pauses  # type: ignore[attr-defined]
        yield stub
        stub.assert_no_pending_responses()


def fail(ec2: Stubber, command: str) -> CallFailedError:
    """Make the calls of a command, and return the failure."""
    with pytest.raises(CallFailedError) as caught:
        make_calls(lambda _: ec2.client, parse_command(command))
    return caught.value


def test_what_a_call_creates_takes_the_place_of_its_symbol(ec2: Stubber) -> None:
    """The parameters are those of the command, with the id that EC2 returned."""
    ec2.add_response("create_security_group", *CREATED)
    ec2.add_response("authorize_security_group_ingress", {"Return": True}, RULE)
    ec2.add_response("modify_vpc_endpoint", {"Return": True}, ADDED)
    notes: list[str] = []
    assert make_calls(lambda _: ec2.client, parse_command(SEQUENCE), notes.append) == [
        Made("create-security-group", NEW),
        Made("authorize-security-group-ingress"),
        Made("modify-vpc-endpoint"),
    ]
    assert notes == [
        "create-security-group",
        "authorize-security-group-ingress",
        "modify-vpc-endpoint",
    ]


def test_no_call_is_made_after_one_that_is_refused(ec2: Stubber) -> None:
    """What was made has its ids; what remains can be pasted, in the same Region."""
    ec2.add_response("create_security_group", *CREATED)
    ec2.add_client_error(
        "authorize_security_group_ingress", "RulesPerSecurityGroupLimitExceeded", "too many"
    )
    error = fail(ec2, SEQUENCE)
    assert error.made == (Made("create-security-group", NEW),)
    assert error.left == (
        AUTHORIZE,
        MODIFY,
    )
    assert "RulesPerSecurityGroupLimitExceeded: too many" in str(error)
    assert f"made before it: create-security-group ({NEW})" in str(error)


def test_what_was_just_created_may_not_be_known_yet(ec2: Stubber) -> None:
    """The call is repeated after a pause, as EC2 recommends."""
    ec2.add_response("create_security_group", *CREATED)
    for _ in range(2):
        ec2.add_client_error(
            "authorize_security_group_ingress",
            "InvalidGroup.NotFound",
            f"The security group '{NEW}' does not exist",
        )
    ec2.add_response("authorize_security_group_ingress", {"Return": True}, RULE)
    ec2.add_response("modify_vpc_endpoint", {"Return": True}, ADDED)
    assert len(make_calls(lambda _: ec2.client, parse_command(SEQUENCE))) == 3
    assert ec2.pauses == [1, 2]  # type: ignore[attr-defined]


def test_the_repetition_is_bounded(ec2: Stubber) -> None:
    """After the last pause the call has failed."""
    ec2.add_response("create_security_group", *CREATED)
    for _ in range(5):
        ec2.add_client_error(
            "authorize_security_group_ingress", "InvalidGroup.NotFound", f"{NEW} does not exist"
        )
    assert fail(ec2, SEQUENCE).made == (Made("create-security-group", NEW),)


def test_what_existed_before_is_not_waited_for(ec2: Stubber) -> None:
    """Somebody deleted it: the call fails at once."""
    ec2.add_client_error(
        "modify_vpc_endpoint", "InvalidVpcEndpointId.NotFound", "vpce-0123456789abcdef0"
    )
    command = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-0123456789abcdef0 --reset-policy"
    assert fail(ec2, command).made == ()
    assert ec2.pauses == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("operation", "command", "answer", "reason"),
    [
        (
            "delete_vpc_endpoints",
            "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-1",
            {"Unsuccessful": [{"ResourceId": "vpce-1", "Error": {"Code": "DependencyViolation"}}]},
            "vpce-1: DependencyViolation",
        ),
        (
            "modify_vpc_endpoint",
            "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-1 --reset-policy",
            {"Return": False},
            "EC2 returned false",
        ),
        (
            "revoke_security_group_ingress",
            REVOKE,
            {"Return": True, "UnknownIpPermissions": [{"IpProtocol": "tcp"}]},
            "some of the rules do not exist",
        ),
    ],
)
def test_an_answer_may_report_a_failure(
    ec2: Stubber, operation: str, command: str, answer: dict[str, Any], reason: str
) -> None:
    """The call itself succeeds, with the reason in its output."""
    ec2.add_response(operation, answer)
    assert reason in str(fail(ec2, command))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ReadTimeoutError(endpoint_url="https://ec2.eu-west-1.amazonaws.com"),
            "whether modify-vpc-endpoint took effect is not known (AWS cannot be reached",
        ),
        (
            ClientError(
                {
                    "Error": {"Code": "InternalError", "Message": "internal"},
                    "ResponseMetadata": {"HTTPStatusCode": 500},  # type: ignore[typeddict-item]
                },
                "ModifyVpcEndpoint",
            ),
            "whether modify-vpc-endpoint took effect is not known (InternalError: internal)",
        ),
        (NoCredentialsError(), "modify-vpc-endpoint was not sent (no AWS credentials found"),
    ],
)
def test_a_lost_answer_leaves_open_what_happened(
    client: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """Neither made nor refused is claimed."""

    def lose(**_: Any) -> None:
        raise error

    monkeypatch.setattr(client, "modify_vpc_endpoint", lose)
    edits = parse_command("aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-1 --reset-policy")
    with pytest.raises(CallFailedError) as caught:
        make_calls(lambda _: client, edits)
    assert said in str(caught.value)
    assert caught.value.left


def test_a_repeated_request_creates_nothing_twice(ec2: Stubber) -> None:
    """Botocore repeats a request with the same token."""
    ec2.add_response(
        "create_vpc_endpoint",
        {"VpcEndpoint": {"VpcEndpointId": "vpce-0a"}},
        {
            "VpcId": "vpc-1",
            "ServiceName": "com.amazonaws.eu-west-1.s3",
            "VpcEndpointType": "Gateway",
            "ClientToken": ANY,
        },
    )
    made = make_calls(
        lambda _: ec2.client,
        parse_command(
            "aws ec2 create-vpc-endpoint --vpc-id vpc-1 --service-name com.amazonaws.eu-west-1.s3"
        ),
    )
    assert made == [Made("create-vpc-endpoint", "vpce-0a")]


def test_calls_are_listed_with_symbols() -> None:
    """As the runbook of `remediation.yaml` takes them."""
    create, authorize, modify = list_calls(parse_command(SEQUENCE))
    assert (create.operation, create.creates) == ("CreateSecurityGroup", "sg-new-1")
    assert authorize.parameters["GroupId"] == "sg-new-1"
    assert modify.parameters == {
        "VpcEndpointId": "vpce-1",
        "AddSecurityGroupIds": ["sg-new-1"],
    }
