"""`posture plan` on CloudFormation templates and CDK apps: no credentials, no network."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cloudformation_scan import BASELINE
from posture_cli.app import app
from posture_cli.failure import CommandError
from posture_cli.plan.cloudformation import PlanSettings
from posture_cli.plan.cloudformation_inputs import CloudFormationOptions, plan_sources
from posture_cli.plan.cloudformation_sources import read_sources
from posture_cli.plan.outcome import compare_plan
from sample_network import NOW, REGION

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
CORPUS = HERE / "corpus"
RULE = "gateway-service-bypasses-endpoint"


@pytest.fixture(autouse=True)
def _without_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the AWS settings of the shell."""
    for name in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


def plan(*arguments: object, region: str | None = REGION) -> Result:
    """Run `posture plan`."""
    where = ("--region", region) if region else ()
    return CliRunner().invoke(app, ["plan", *map(str, arguments), *where])


# --- what is caught ------------------------------------------------------------------------------


def test_missing_gateway_route_is_caught_before_the_deployment() -> None:
    """A CDK app whose S3 endpoint leaves subnets out fails, and each subnet is named."""
    result = plan(CORPUS / "cdk" / "missing-gateway-route", "--output", "json")
    assert result.exit_code == 1
    (scope,) = json.loads(result.stdout)["scopes"]
    found = {each["resource"] for each in scope["opened"] if each["rule"] == RULE}
    assert scope["change"] == "created"
    assert len(found) == 4
    assert all("publicSubnet" in each or "privateSubnet" in each for each in found)


def test_fixed_app_passes() -> None:
    """The same app with the endpoint in all route tables passes."""
    result = plan(CORPUS / "cdk" / "gateway-routes", "--output", "json")
    (scope,) = json.loads(result.stdout)["scopes"]
    assert result.exit_code == 0
    assert scope["opened"] == []


def test_own_template_passes_its_own_rules() -> None:
    """The VPC of this project's stack passes every rule, predicted from the template alone."""
    result = plan(ROOT / "template.yaml", "--account", "111122223333", "--output", "junit")
    assert result.exit_code == 0
    assert 'failures="0"' in result.stdout
    assert "vpc-Vpc" in result.stdout


def test_parameters_change_what_is_predicted() -> None:
    """A condition on a parameter brings in a second subnet."""
    path = CORPUS / "conditions.yaml"
    one, two = (plan(path, "--output", "json", "--parameter", f"Zones={n}") for n in (1, 2))
    assert "subnet-B" not in one.stdout
    assert "subnet-B" in two.stdout


# --- what is not known ---------------------------------------------------------------------------


def write(folder: Path, text: str, name: str = "template.yaml") -> Path:
    """Write a template."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


NETWORK = """
  Vpc: { Type: AWS::EC2::VPC, Properties: { CidrBlock: 10.0.0.0/16, EnableDnsHostnames: true } }
  A:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      AvailabilityZone: !Select [0, !GetAZs ""]
      CidrBlock: 10.0.1.0/24
"""
UNKNOWN = {
    "parameter": (
        "Parameters: { Policy: { Type: String } }\nResources:"
        + NETWORK
        + """
  S3:
    Type: AWS::EC2::VPCEndpoint
    Properties:
      VpcId: !Ref Vpc
      ServiceName: !Sub "com.amazonaws.${AWS::Region}.s3"
      PolicyDocument: !Ref Policy
""",
        "endpoint-policy-allows-full-access",
        "vpce-S3",
    ),
    "SSM parameter": (
        "Parameters: { Cidr: { Type: 'AWS::SSM::Parameter::Value<String>', Default: /net } }\n"
        "Resources:"
        + NETWORK
        + """
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: From a parameter
      VpcId: !Ref Vpc
      SecurityGroupIngress: [{ IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: !Ref Cidr }]
""",
        "endpoint-security-group-open",
        "the SSM parameter /net",
    ),
    "condition": (
        "Parameters: { Nat: { Type: String } }\nConditions: { HasNat: !Equals [!Ref Nat, on] }\n"
        "Resources:"
        + NETWORK
        + """
  Nat:
    Type: AWS::EC2::NatGateway
    Condition: HasNat
    Properties: { SubnetId: !Ref A, ConnectivityType: private }
""",
        RULE,
        "whether Nat exists depends on parameter Nat, which has no default",
    ),
    "IPAM": (
        "Resources:\n  Vpc: { Type: AWS::EC2::VPC, Properties: { Ipv4IpamPoolId: ipam-pool-1 } }\n",
        RULE,
        "allocated by IPAM",
    ),
    "dynamic reference": (
        "Resources:"
        + NETWORK
        + """
  Peering:
    Type: AWS::EC2::VPCEndpoint
    Properties: { VpcId: !Ref Vpc, ServiceName: "{{resolve:ssm:/service}}" }
""",
        "endpoint-policy-allows-full-access",
        "the dynamic reference ssm:/service",
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_values_are_named(tmp_path: Path, name: str) -> None:
    """What depends on a value that is not known is unknown, and the value is named."""
    text, rule, named = UNKNOWN[name]
    result = plan(write(tmp_path, text), "--output", "json")
    (scope,) = json.loads(result.stdout)["scopes"]
    found = [each for each in scope["opened"] if each["rule"] == rule]
    assert {each["status"] for each in found} == {"unknown"}
    assert named in result.stdout


def test_vpc_outside_the_template_exists_before(tmp_path: Path) -> None:
    """A VPC that a parameter names is neither created nor judged by what the template lacks."""
    text = """
Parameters: { Network: { Type: "AWS::EC2::VPC::Id" } }
Resources:
  S3:
    Type: AWS::EC2::VPCEndpoint
    Properties: { VpcId: !Ref Network, ServiceName: !Sub "com.amazonaws.${AWS::Region}.s3" }
"""
    result = plan(write(tmp_path, text), "--output", "json")
    (scope,) = json.loads(result.stdout)["scopes"]
    opened = {each["rule"]: each["status"] for each in scope["opened"]}
    assert (scope["vpc"], scope["change"]) == ("vpc-Network", "changed")
    assert opened["endpoint-policy-allows-full-access"] == "fail"
    assert "required-service-without-endpoint" not in opened


def test_types_that_are_not_understood_are_named(tmp_path: Path) -> None:
    """A custom resource or a share may change the network: the output says so."""
    text = (
        "Resources:"
        + NETWORK
        + """
  Thing: { Type: "Custom::Thing", Properties: { ServiceToken: x } }
  Share: { Type: AWS::RAM::ResourceShare, Properties: { Name: subnets } }
  Zone: { Type: AWS::Route53::HostedZone, Properties: { VPCs: [{ VPCId: !Ref Vpc }] } }
"""
    )
    notes = json.loads(plan(write(tmp_path, text), "--output", "json").stdout)["notes"]
    named = " ".join(notes)
    assert "Custom::Thing runs code" in named
    assert "AWS::RAM::ResourceShare is not a type that is understood" in named
    assert "private hosted zones are not read" in named


# --- bad input -----------------------------------------------------------------------------------

VPC = "Resources:\n  A: { Type: AWS::EC2::VPC, Properties: { CidrBlock: %s } }\n"
BAD = {
    "dangling reference": (
        VPC % "!Ref Nope",
        "Resources.A.Properties.CidrBlock.Ref: refers to Nope",
    ),
    "dangling attribute": (VPC % "!GetAtt Nope.Cidr", "refers to Nope"),
    "dangling substitution": (VPC % '!Sub "${Nope}"', "refers to Nope"),
    "dangling condition": (
        "Resources:\n  A: { Type: AWS::EC2::VPC, Condition: No }\n",
        "Resources.A.Condition",
    ),
    "unknown function": (VPC % "!Nope x", "there is no function Fn::Nope"),
    "circular reference": (
        (
            "Resources:\n"
            "  A: { Type: AWS::EC2::RouteTable, Properties: { VpcId: !GetAtt B.VpcId } }\n"
            "  B: { Type: AWS::EC2::Subnet, DependsOn: A }\n"
        ),
        "circular reference: A → B → A",
    ),
    "circular condition": (
        (
            "Conditions: { C: !Not [!Condition C] }\n"
            "Resources:\n  A: { Type: AWS::EC2::VPC, Condition: C }\n"
        ),
        "Conditions.C: circular reference",
    ),
    "no CIDR block": (
        VPC % "banana",
        "Properties.CidrBlock: expected a CIDR block, found 'banana'",
    ),
    "short list": (VPC % '!Select [9, ["a"]]', "index 9, but the list has 1 items"),
    "no resources": ("Resources: {}\nOutputs: {}\n", "expected"),
    "cut off": ("Resources:\n  A: { Type: AWS::EC2::VPC, Properties: {", "line 2"),
    "no template": ("a: 1\n", "expected a CloudFormation template, found an object with a"),
    "text": ("hello\n", "expected an object, found text"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_template(tmp_path: Path, name: str) -> None:
    """The error names the file and the place, and what was expected."""
    text, problem = BAD[name]
    path = write(tmp_path, text)
    message = fail(path)
    assert message.startswith(str(path))
    assert problem in message


def test_bad_files_beside_a_template(tmp_path: Path) -> None:
    """Each file that lacks its partner is named."""
    path = write(tmp_path, "Resources:" + NETWORK)
    change_set = write(tmp_path, '{"ChangeSetName": "x", "Changes": []}', "changes.json")
    rows = [{"LogicalResourceId": "Vpc", "PhysicalResourceId": "vpc-1", "StackId": "x"}]
    resources = write(tmp_path, json.dumps({"StackResources": rows}), "resources.json")
    assert fail(change_set) == (
        f"{change_set}: expected a template, found a change set: give its template, and the change "
        "set with --change-set"
    )
    assert "give --stack-resources" in fail(path, "--change-set", change_set)
    assert "give --deployed-template FILE" in fail(path, "--stack-resources", resources)
    assert "StackResources: expected the output" in fail(path, "--stack-resources", path)
    assert "no template declares Nope" in fail(path, "--parameter", "Nope=1")
    assert "expected NAME=VALUE" in fail(path, "--parameter", "Nope")
    assert "its Region is not known; give --region" in fail(path, region=None)
    nested = CORPUS / "nested" / "root.yaml"
    both = ("--stack-resources", resources, "--deployed-template", nested)
    assert "plan each nested template" in fail(nested, *both)
    (tmp_path / "folder").mkdir()
    assert "with manifest.json" in fail(tmp_path / "folder")


def fail(*arguments: object, region: str | None = REGION) -> str:
    """Run the command, expect an error, and return its message."""
    result = plan(*arguments, region=region)
    assert isinstance(result.exception, CommandError), result.output
    return str(result.exception)


# --- change sets ---------------------------------------------------------------------------------

DEPLOYED = (
    "Resources:"
    + NETWORK
    + """
  S3:
    Type: AWS::EC2::VPCEndpoint
    DeletionPolicy: %s
    Properties: { VpcId: !Ref Vpc, ServiceName: com.amazonaws.eu-west-1.s3 }
"""
)
IDS = {"Vpc": "vpc-0a", "A": "subnet-0a", "S3": "vpce-0a"}


def write_stack(folder: Path) -> Path:
    """Write what describe-stack-resources returns."""
    arn = f"arn:aws:cloudformation:{REGION}:111122223333:stack/network/1"
    rows = [
        {"StackName": "network", "StackId": arn, "LogicalResourceId": k, "PhysicalResourceId": v}
        for k, v in IDS.items()
    ]
    return write(folder, json.dumps({"StackResources": rows}), "resources.json")


@pytest.mark.parametrize(("policy", "left"), [("Delete", False), ("Retain", True)])
def test_deletion_policy_decides_what_is_left(tmp_path: Path, policy: str, left: bool) -> None:
    """A resource that leaves the stack is deleted, unless its deployed template retains it."""
    deployed = write(tmp_path, DEPLOYED % policy, "deployed.yaml")
    new = write(tmp_path, "Resources:" + NETWORK)
    settings = PlanSettings(NOW, region=REGION)
    beside = CloudFormationOptions(
        stack_resources=[write_stack(tmp_path)], deployed_template=deployed
    )
    (change,) = plan_sources(new, read_sources(new), settings, beside)
    ids = [row["VpcEndpointId"] for row in change.after[0].rows["DescribeVpcEndpoints"]]
    assert [row["VpcEndpointId"] for row in change.before.rows["DescribeVpcEndpoints"]] == [
        "vpce-0a"
    ]
    assert ids == (["vpce-0a"] if left else [])


def test_change_set_with_property_values_replaces_the_deployed_template(tmp_path: Path) -> None:
    """What a change set says of the values before it is enough to compare."""
    new = write(tmp_path, "Resources:" + NETWORK)
    properties = {"VpcId": "vpc-0a", "ServiceName": "com.amazonaws.eu-west-1.s3"}
    change = {
        "Action": "Remove",
        "LogicalResourceId": "S3",
        "PhysicalResourceId": "vpce-0a",
        "ResourceType": "AWS::EC2::VPCEndpoint",
        "PolicyAction": "Delete",
        "BeforeContext": json.dumps({"Properties": properties}),
    }
    document = {"ChangeSetName": "x", "Changes": [{"ResourceChange": change}]}
    changes = write(tmp_path, json.dumps(document), "changes.json")
    beside = CloudFormationOptions(stack_resources=[write_stack(tmp_path)], change_set=changes)
    found = plan_sources(new, read_sources(new), PlanSettings(NOW, region=REGION), beside)
    (scope,) = compare_plan(found, BASELINE).scopes
    assert scope.scope.account == "111122223333"
    assert "endpoint-policy-allows-full-access" in {each.rule for each in scope.effect.resolved}


# --- the real CDK --------------------------------------------------------------------------------


def find_cdk() -> str | None:
    """Find Node.js, if aws-cdk-lib can be loaded by it."""
    node = shutil.which("node")
    if node is None:
        return None
    probe = [node, "-e", "require.resolve('aws-cdk-lib')"]
    found = subprocess.run(probe, capture_output=True, check=False, cwd=ROOT)  # noqa: S603
    return node if found.returncode == 0 else None


@pytest.mark.parametrize("name", ["missing-gateway-route", "hub-and-spoke", "nested-stacks"])
def test_apps_synthesised_anew(tmp_path: Path, name: str) -> None:
    """The output of the installed CDK predicts what the recorded output does."""
    node = find_cdk()
    if node is None:
        pytest.skip("Node.js with aws-cdk-lib (in NODE_PATH) is not installed")
    command = [node, str(HERE / "cdk" / "apps.js"), name, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)  # noqa: S603
    anew, recorded = (
        json.loads(plan(folder, "--output", "json").stdout)
        for folder in (tmp_path, CORPUS / "cdk" / name)
    )
    assert anew == recorded
