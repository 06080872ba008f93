"""AWS CLI commands are parsed as the AWS CLI parses them, and edits are printed as commands."""

# ruff: noqa: E501 - commands stand on one line

from __future__ import annotations

import json
import types
from dataclasses import MISSING, fields, is_dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posture.edits.command_line import (
    ACL_PROTOCOLS,
    COMMANDS,
    format_command,
    format_sequence,
    parse_command,
)
from posture.edits.operations import SERVICE_NAMES
from posture.edits.operations.endpoints import DeleteVpcEndpoints, DnsOptions, ModifyVpcEndpoint
from posture.edits.operations.gateways import DeleteNatGateway
from posture.edits.operations.network_acls import CreateNetworkAclEntry, PortRange
from posture.edits.operations.routes import DeleteRoute
from posture.edits.operations.security_groups import (
    AuthorizeSecurityGroupIngress,
    CreateSecurityGroup,
    RevokeSecurityGroupEgress,
)
from posture.edits.operations.vpcs import ModifyVpcAttribute
from posture.edits.options import list_options
from posture.edits.requests import find_kind, name_member, parse_request
from posture.errors import MalformedRequestError
from posture.model.network import EndpointType, GroupReference, SecurityGroupRule

HTTPS = SecurityGroupRule("tcp", 443, 443, cidr=IPv4Network("10.0.0.0/16"))
ALLOW_HTTPS = AuthorizeSecurityGroupIngress(group_id="sg-1", ip_permissions=(HTTPS,))
DELETE = DeleteRoute(route_table_id="rtb-1", destination_cidr_block=IPv4Network("0.0.0.0/0"))


@pytest.mark.parametrize(
    "options",
    [
        "--protocol tcp --port 443 --cidr 10.0.0.0/16",
        "--cidr=10.0.0.0/16 --port=443-443 --protocol=6",
        "--ip-perm IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=10.0.0.0/16}]",
        "--ip-protocol tcp --from-port 443 --to-port 443 --cidr-ip 10.0.0.0/16",
        "--ip-permissions IpProtocol=tcp,FromPort=443,ToPort=443,IpRanges=[{CidrIp=10.0.0.0/16}]",
        "--ip-permissions 'IpProtocol=tcp, FromPort=443, ToPort=443, IpRanges=[ {CidrIp=\"10.0.0.0/16\"} ]'",
        """--ip-permissions '{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}'""",
        """--ip-permissions '[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]'""",
        """--cli-input-json '{"IpPermissions": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]}'""",
        "--protocol tcp --port 443 --cidr 10.0.0.0/16 --region eu-west-1 --output json --no-cli-pager",
    ],
)
def test_every_spelling_of_a_rule_leads_to_one_edit(options: str) -> None:
    """The AWS CLI accepts a rule as options, shorthand and JSON."""
    command = f"aws ec2 authorize-security-group-ingress --group-id sg-1 {options}"
    assert parse_command(command) == (ALLOW_HTTPS,)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            "--protocol all --source-group sg-2",
            SecurityGroupRule("-1", None, None, group=GroupReference("sg-2")),
        ),
        (
            "--protocol udp --port 53-54 --cidr 0.0.0.0/0",
            SecurityGroupRule("udp", 53, 54, cidr=IPv4Network("0.0.0.0/0")),
        ),
        (
            "--protocol icmp --port all --cidr 0.0.0.0/0",
            SecurityGroupRule("icmp", None, None, cidr=IPv4Network("0.0.0.0/0")),
        ),
    ],
)
def test_options_of_a_single_rule(options: str, expected: SecurityGroupRule) -> None:
    """The options for one rule are those of the AWS CLI."""
    (found,) = parse_command(f"aws ec2 revoke-security-group-egress --group-id sg-1 {options}")
    assert found == RevokeSecurityGroupEgress(group_id="sg-1", ip_permissions=(expected,))


@pytest.mark.parametrize(
    ("option", "hostnames"),
    [
        ("--enable-dns-hostnames", True),
        ("--no-enable-dns-hostnames", False),
        ("--enable-dns-hostnames Value=false", False),
        ("""--enable-dns-hostnames '{"Value": true}'""", True),
        ("""--enable-dns-hostnames "{\\"Value\\":false}" """, False),
    ],
)
def test_a_wrapped_boolean_is_a_flag_or_a_structure(option: str, hostnames: bool) -> None:
    """A flag may be negated, or followed by its structure."""
    command = f"aws ec2 modify-vpc-attribute --vpc-id vpc-1 {option}"
    assert parse_command(command) == (
        ModifyVpcAttribute(vpc_id="vpc-1", enable_dns_hostnames=hostnames),
    )


def test_names_of_protocols_of_network_acls() -> None:
    """Network ACLs have numbers for protocols, and the AWS CLI names for these."""
    (found,) = parse_command(
        "aws ec2 create-network-acl-entry --network-acl-id acl-1 --ingress --rule-number 90 "
        "--protocol tcp --port-range From=1024,To=65535 --cidr-block 0.0.0.0/0 --rule-action allow"
    )
    assert found == CreateNetworkAclEntry(
        network_acl_id="acl-1",
        rule_number=90,
        egress=False,
        protocol="6",
        rule_action="allow",
        cidr_block=IPv4Network("0.0.0.0/0"),
        port_range=PortRange(from_=1024, to=65535),
    )


def test_calls_are_joined_as_in_a_shell() -> None:
    """Calls are separated by &&, semicolons and line ends."""
    text = """
    # first the route
    aws ec2 delete-route --route-table-id rtb-1 \\
        --destination-cidr-block "0.0.0.0/0" && \\
    aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-1 'vpce-2'; aws ec2 delete-nat-gateway \\
        --nat-gateway-id nat-1
    aws ec2 delete-nat-gateway --nat-gateway-id nat-2
    """
    assert parse_command(text) == (
        DELETE,
        DeleteVpcEndpoints(vpc_endpoint_ids=("vpce-1", "vpce-2")),
        DeleteNatGateway(nat_gateway_id="nat-1"),
        DeleteNatGateway(nat_gateway_id="nat-2"),
    )


def test_a_variable_takes_the_id_of_what_a_call_creates() -> None:
    """A later call names what an earlier one creates."""
    edits = (
        CreateSecurityGroup(group_name="https", description="HTTPS in", vpc_id="vpc-1"),
        CreateSecurityGroup(group_name="other", description="Other", vpc_id="vpc-1"),
        AuthorizeSecurityGroupIngress(
            group_id="sg-new-1",
            ip_permissions=(SecurityGroupRule("tcp", 443, 443, group=GroupReference("sg-new-2")),),
        ),
    )
    command = format_sequence(edits, "eu-west-1")
    assert command == (
        "GROUP=$(aws ec2 create-security-group --group-name https --description 'HTTPS in' "
        "--vpc-id vpc-1 --region eu-west-1 --query GroupId --output text) && "
        "GROUP2=$(aws ec2 create-security-group --group-name other --description Other "
        "--vpc-id vpc-1 --region eu-west-1 --query GroupId --output text) && "
        'aws ec2 authorize-security-group-ingress --group-id "$GROUP" --ip-permissions '
        """'IpProtocol=tcp,FromPort=443,ToPort=443,UserIdGroupPairs=[{GroupId='"$GROUP2"'}]' """
        "--region eu-west-1"
    )
    assert parse_command(command) == edits


def test_a_policy_is_given_in_full_or_as_a_file() -> None:
    """Only a caller that can read files reads them."""
    policy = json.dumps({"Statement": [{"Sid": "it's", "Resource": "arn:aws:s3:::${aws:x}/*"}]})
    edits = (ModifyVpcEndpoint(vpc_endpoint_id="vpce-1", policy_document=policy),)
    assert parse_command(format_sequence(edits)) == edits
    command = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-1 --policy-document file://p.json"
    assert parse_command(command, read_file={"p.json": policy}.__getitem__) == edits
    with pytest.raises(MalformedRequestError, match=r"--policy-document: file://p.json: expected"):
        parse_command(command)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a command such as aws ec2 delete-route …"),
        ("aws s3 ls", "line 1, column 5: s3: expected ec2, route53, route53resolver or route53profiles after"),
        ("aws", "expected ec2, route53, route53resolver or route53profiles after aws"),
        ("aws ec2", "line 1, column 5: expected an operation after ec2, such as delete-route"),
        ("terraform apply", "line 1, column 1: terraform: expected an AWS CLI command"),
        ("aws ec2 delete-rout --x y", "delete-rout: expected an operation .* Did you mean delete-route?"),
        ("aws ec2 describe-vpcs", "line 1, column 9: describe-vpcs: expected an operation that"),
        ("aws ec2 delete-route --route-tables rtb-1", "--route-tables: expected one of .* Did you mean --route-table-id?"),
        ("aws ec2 delete-route", "delete-route: --route-table-id is missing"),
        ("aws ec2 delete-route rtb-1", "column 22: rtb-1: expected an option"),
        ("aws ec2 delete-route --route-table-id", "--route-table-id: expected one value, not 0"),
        ("aws ec2 delete-route --route-table-id a b", "--route-table-id: expected one value, not 2"),
        ("aws ec2 delete-route --route-table-id a --destination-cidr-block x", "--destination-cidr-block: expected an IPv4 CIDR block, not 'x'"),
        ("aws ec2 delete-route --route-table-id $TABLE", "column 39: $TABLE: expected a variable that"),
        ("aws ec2 delete-route --route-table-id $(x)", r"column 39: $(: expected a value, which only a shell"),
        ("aws ec2 delete-route --route-table-id `x`", "column 39: `x: expected a value"),
        ("aws ec2 delete-route --route-table-id 'a", "column 39: expected a closing '"),
        ("aws ec2 delete-route &&", "expected a command after &&"),
        ("&& aws ec2 delete-route", "column 1: expected a command before &&"),
        ("aws ec2 delete-route | tee", "column 22: |: expected && or ; between"),
        ("aws ec2 delete-route --region us-east-1", "--region: expected eu-west-1, not us-east-1"),
        ("aws ec2 delete-route --generate-cli-skeleton", "--generate-cli-skeleton: expected a call that changes"),
        ("aws ec2 delete-route --cli-input-json '['", "--cli-input-json: expected JSON"),
        ("aws ec2 delete-route --cli-input-json 1", "--cli-input-json: expected the parameters as one JSON object"),
        ("aws ec2 modify-vpc-endpoint --vpc-endpoint-id v --reset-policy yes", "--reset-policy: expected"),
        ("aws ec2 modify-vpc-endpoint --vpc-endpoint-id v --no-reset-policy yes", "--no-reset-policy: expected no value"),
        ("aws ec2 delete-route --dry-run", "DryRun: a dry run changes nothing"),
        ("aws ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions IpProtocol", "--ip-permissions: expected KEY=VALUE"),
        ("aws ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions a=1,a=2", "--ip-permissions: expected one value for a"),
        ("aws ec2 authorize-security-group-ingress --group-id sg-1 --port x", "--port: expected a port or a range"),
        ("aws ec2 authorize-security-group-ingress --group-id sg-1 --port 1 --ip-permissions a=1", "--port: expected no such option beside"),
        ("X=$(aws ec2 delete-route --route-table-id r --destination-cidr-block 0.0.0.0/0)", "expected an operation that creates a resource, as X takes"),
        ("X=$(aws ec2 create-route-table --vpc-id v) && aws", "expected --query RouteTable.RouteTableId --output text, as X takes"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named_with_its_place(text: str, message: str) -> None:
    """An error says where it is and what was expected."""
    with pytest.raises(MalformedRequestError) as caught:
        parse_command(text, region="eu-west-1")
    start, _, end = message.partition(" .* ")
    assert start in str(caught.value)
    assert end in str(caught.value)


# Every edit can be printed, whatever its values.
TEXTS = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: not text.startswith(("file://", "fileb://", "[", "{", "--")) and text.strip()
)
NETWORKS = {
    IPv4Network: st.integers(0, 2**24 - 1).map(lambda n: IPv4Network((n << 8, 24))),
    IPv6Network: st.integers(0, 2**64 - 1).map(lambda n: IPv6Network((n << 64, 64))),
    IPv4Address: st.ip_addresses(v=4),
    IPv6Address: st.ip_addresses(v=6),
}
PEERS = st.one_of(
    st.fixed_dictionaries({"cidr": st.one_of(NETWORKS[IPv4Network], NETWORKS[IPv6Network])}),
    st.fixed_dictionaries({"prefix_list_id": st.sampled_from(["pl-1", "pl-2"])}),
    st.fixed_dictionaries({"group": st.builds(GroupReference, st.sampled_from(["sg-1", "sg-2"]))}),
)
RULES = st.builds(
    lambda protocol, ports, peer, text: replace(
        SecurityGroupRule(protocol, *(ports if protocol in {"tcp", "udp"} else (None, None))),
        **peer,
        description=text,
    ),
    st.sampled_from(["tcp", "udp", "-1", "47"]),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    PEERS,
    st.one_of(st.just(""), st.text(alphabet="aB 1,'\"=[]{}:\\$", max_size=9)),
)


def build_values(hint: Any) -> st.SearchStrategy[Any]:
    """Build any value of a type."""
    if get_origin(hint) in {types.UnionType, Union}:
        return st.one_of(*map(build_values, (it for it in get_args(hint) if it is not type(None))))
    if get_origin(hint) is tuple:
        return st.lists(build_values(get_args(hint)[0]), min_size=1, max_size=3).map(tuple)
    if hint is SecurityGroupRule:
        return RULES
    if hint is EndpointType:
        return st.sampled_from([each for each in EndpointType if each is not EndpointType.UNKNOWN])
    if is_dataclass(hint):
        return build_structures(hint)
    simple = {str: TEXTS, bool: st.booleans(), int: st.integers(-1, 70000), **NETWORKS}
    return simple[hint]


def build_structures(kind: Any) -> st.SearchStrategy[Any]:
    """Build any structure of a class."""
    hints = get_type_hints(kind)
    needed: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for each in fields(kind):
        if each.name == "transit_gateway_id" and "Delete" in kind.__name__:
            continue  # known to a caller, no parameter of the call
        chosen = needed if each.default is MISSING else optional
        chosen[each.name] = build_values(hints[each.name])
    found = st.fixed_dictionaries(needed, optional=optional)
    if kind is DnsOptions:
        found = found.filter(bool)
    return found.map(lambda values: kind(**values))


EDITS = st.sampled_from(sorted(COMMANDS.values())).map(find_kind).flatmap(build_structures)


def normalize(each: Any) -> Any:
    """Sort rules, whose order has no meaning."""
    rules = getattr(each, "ip_permissions", ())
    return (type(each), {it.name: getattr(each, it.name) for it in fields(each)} | {
        "ip_permissions": sorted(map(str, rules))
    })  # fmt: skip


@given(EDITS)
def test_a_printed_edit_is_parsed_to_itself(each: Any) -> None:
    """Printing an edit loses nothing."""
    (found,) = parse_command(format_command(each))
    assert normalize(found) == normalize(each)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """No text leads to another kind of error."""
    for prefix in ("", "aws ec2 ", "aws ec2 modify-managed-prefix-list --add-entries "):
        try:
            parse_command(prefix + text)
        except MalformedRequestError:
            continue


def test_operations_and_parameters_are_those_of_aws() -> None:
    """The fields of edits are named as the AWS CLI names them."""
    session = botocore.session.get_session()
    models = {name: session.get_service_model(name) for name in SERVICE_NAMES}
    for (service, name), operation in COMMANDS.items():
        kind: Any = find_kind(operation)
        model = models[service].operation_model(operation)
        members = getattr(model.input_shape, "members", {})
        assert botocore.xform_name(operation, "-") == name
        for option, hint in list_options(kind).items():
            parameter = name_member(kind.__dataclass_fields__[option.replace("-", "_")])
            if parameter == "TransitGatewayId" and "Delete" in operation:
                continue
            assert botocore.xform_name(parameter, "-") == option
            assert parameter in members, f"{operation}.{parameter}"
            assert (members[parameter].type_name == "list") == (get_origin(hint) is tuple)


# The examples of the AWS CLI's own pages and other spellings, with what the AWS CLI 1.46.3 makes
# of each before it builds the request; null for what it refuses.
EXAMPLES = json.loads(Path(__file__).with_name("aws_cli_examples.json").read_text())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each["command"][8:60])
def test_commands_are_parsed_as_the_aws_cli_parses_them(example: dict[str, Any]) -> None:
    """The same parameters, or a refusal where the AWS CLI refuses or no edit has the parameter."""
    try:
        expected = parse_request(example["operation"] or "", example["parameters"] or {})
    except MalformedRequestError:
        with pytest.raises(MalformedRequestError):
            parse_command(example["command"])
        return
    if protocol := ACL_PROTOCOLS.get(getattr(expected, "protocol", "")):
        expected = replace(cast("Any", expected), protocol=protocol)
    assert parse_command(example["command"]) == (expected,)
