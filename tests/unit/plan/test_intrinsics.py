"""Intrinsic functions: what they return, and how what is not known spreads."""

from typing import Any

import pytest

from posture_cli.failure import CommandError
from posture_cli.plan.intrinsics import IntrinsicEvaluator, StackContext
from posture_cli.plan.template import parse_template
from posture_cli.plan.values import Unknown

TEMPLATE = {
    "Parameters": {
        "Name": {"Type": "String", "Default": "net"},
        "Count": {"Type": "Number", "Default": 2},
        "List": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Open": {"Type": "String"},
        "Vpc": {"Type": "AWS::EC2::VPC::Id"},
        "Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/image"},
    },
    "Mappings": {"Blocks": {"eu-west-1": {"Vpc": "10.0.0.0/16"}}},
    "Conditions": {
        "Yes": {"Fn::Equals": [{"Ref": "Count"}, "2"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "Maybe": {"Fn::Equals": [{"Ref": "Open"}, "x"]},
        "Never": {"Fn::And": [{"Condition": "Maybe"}, {"Condition": "No"}]},
        "Always": {"Fn::Or": [{"Condition": "Maybe"}, {"Condition": "Yes"}]},
    },
    "Resources": {"R": {"Type": "AWS::EC2::VPC"}},
}
OPEN = Unknown("parameter Open, which has no default")
IMAGE = Unknown("the SSM parameter /image")
CASES: list[tuple[Any, Any]] = [
    ({"Ref": "Name"}, "net"),
    ({"Ref": "Count"}, "2"),
    ({"Ref": "List"}, ["a", "b"]),
    ({"Ref": "Open"}, OPEN),
    ({"Ref": "Vpc"}, "vpc-Vpc"),
    ({"Ref": "Image"}, IMAGE),
    ({"Ref": "R"}, "ref R"),
    ({"Ref": "AWS::Partition"}, "aws"),
    ({"Fn::GetAtt": "R.CidrBlock"}, "R CidrBlock"),
    ({"Fn::GetAtt": ["R", "CidrBlock"]}, "R CidrBlock"),
    ({"Fn::Sub": "${Name}-${AWS::Region}-${R.Id}-${!Literal}"}, "net-eu-west-1-R Id-${Literal}"),
    ({"Fn::Sub": ["${A}${Name}", {"A": {"Ref": "Count"}}]}, "2net"),
    ({"Fn::Sub": "${Name}-${Open}"}, OPEN),
    ({"Fn::Join": ["-", ["a", {"Ref": "Count"}]]}, "a-2"),
    ({"Fn::Join": [",", {"Ref": "List"}]}, "a,b"),
    ({"Fn::Join": ["-", ["a", {"Ref": "Open"}]]}, OPEN),
    ({"Fn::Select": ["1", {"Fn::Split": [",", "x,y"]}]}, "y"),
    ({"Fn::Select": [0, ["x", {"Ref": "Open"}]]}, "x"),
    ({"Fn::Select": [{"Ref": "Open"}, ["x"]]}, OPEN),
    ({"Fn::Select": [1, {"Fn::GetAZs": ""}]}, "Fn::GetAZs[1]"),
    ({"Fn::FindInMap": ["Blocks", {"Ref": "AWS::Region"}, "Vpc"]}, "10.0.0.0/16"),
    ({"Fn::FindInMap": ["Blocks", {"Ref": "Open"}, "Vpc"]}, OPEN),
    ({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}, ["10.0.0.0/24", "10.0.1.0/24"]),
    ({"Fn::Cidr": ["2001:db8::/56", 2, 64]}, ["2001:db8::/64", "2001:db8:0:1::/64"]),
    ({"Fn::Cidr": [{"Ref": "Open"}, 2, 8]}, OPEN),
    ({"Fn::If": ["Yes", "a", "b"]}, "a"),
    ({"Fn::If": ["Maybe", "a", "b"]}, Unknown(OPEN.what)),
    ({"Fn::If": ["Maybe", "a", "a"]}, "a"),
    ([1, {"Fn::If": ["No", "a", {"Ref": "AWS::NoValue"}]}], [1]),
    ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
    ({"Fn::Base64": "hi"}, "aGk="),
    ({"Fn::Length": {"Ref": "List"}}, 2),
    ({"Fn::ToJsonString": {"a": {"Ref": "Count"}}}, '{"a":"2"}'),
    ({"Fn::ImportValue": "known"}, "value"),
    ({"Fn::ImportValue": "other"}, Unknown("the export other of another stack")),
    ({"Fn::GetStackOutput": {"StackName": "s", "OutputName": "o"}}, "output"),
    ("{{resolve:ssm:/x}}", Unknown("the dynamic reference ssm:/x")),
    ({"Version": "1", "Condition": {"StringEquals": {}}}, None),
]


def build() -> IntrinsicEvaluator:
    """Build an evaluator whose references return what was asked."""
    imports = {"known": "value", ("s", "o"): "output"}
    stack = StackContext("stack", "111122223333", "eu-west-1", imports=imports)
    template = parse_template("t.yaml", TEMPLATE)
    return IntrinsicEvaluator(template, stack, lambda it: f"ref {it}", lambda it, at: f"{it} {at}")


@pytest.mark.parametrize(("node", "expected"), CASES)
def test_functions(node: Any, expected: Any) -> None:
    """Each function returns its value, or an unknown that names what is not known."""
    found = build().evaluate(node, "here")
    assert found == (node if expected is None else expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Yes", True), ("No", False), ("Maybe", OPEN), ("Never", False), ("Always", True)],
)
def test_conditions(name: str, expected: Any) -> None:
    """A condition is unknown only if what is known does not decide it."""
    assert build().holds(name) == expected


@pytest.mark.parametrize(
    ("node", "problem"),
    [
        ({"Fn::Join": ["-"]}, "here.Fn::Join: expected a list of 2 arguments"),
        ({"Fn::Cidr": ["10.0.0.0/30", 9, 1]}, "here.Fn::Cidr: 10.0.0.0/30 has no 9 blocks"),
        ({"Fn::Cidr": ["x", 1, 8]}, "here.Fn::Cidr"),
        ({"Fn::FindInMap": ["Blocks", "x", "Vpc"]}, "the mapping has no Blocks.x.Vpc"),
        ({"Fn::If": ["Nope", 1, 2]}, "Conditions.Nope: refers to a condition"),
        ({"Fn::Split": [",", ["a"]]}, "here.Fn::Split: expected text to split"),
        ({"Fn::Sub": "${List}"}, "here.Fn::Sub: ${List} is a list or an object"),
    ],
)
def test_wrong_arguments(node: Any, problem: str) -> None:
    """The error names the file, the place and what was expected."""
    with pytest.raises(CommandError) as error:
        build().evaluate(node, "here")
    assert str(error.value).startswith("t.yaml: ")
    assert problem in str(error.value)
