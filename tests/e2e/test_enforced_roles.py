"""Attacks on the monitor, and accounts that deny it: its functions run with their roles enforced.

Each call of the functions is decided by the policies of the deployed stack, and of `member.yaml` in
a member account (`enforced_roles`). One member has no role for the monitor.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from enforced_roles import (
    ATTRIBUTES,
    ENDPOINTS,
    FUNCTION_ARN,
    EnforcedRoles,
    enforcing,
    parse_document,
)
from member_items import write_member
from posture.errors import PostureError, SweepIncompleteError
from posture.policy import keys
from posture.policy.evaluate import evaluate
from posture.policy.request import CallerKind, Request
from posture_cli.app import app
from posture_cli.embedded.aws import EmbeddedAws
from posture_cli.embedded.cloudtrail import ApiCaller, build_event_entry, record_calls
from posture_cli.embedded.stack import Stack, deploy_stack
from recorded_calls import create_bucket
from sample_network import SampleNetwork, build_sample_network
from stack_template import PATH, RESOURCES, as_list, list_statements

MEMBER, GONE, UNTRUSTED = "111111111111", "222222222222", "999988887777"
ORGANIZATION, UNIT = "o-exampleorgid", "ou-abcd-11111111"
PARAMETERS = {
    "MembersFrom": "organization",
    "MemberParents": UNIT,
    "OrganizationId": ORGANIZATION,
    "MemberExternalId": "our-external-id",
    "SharedNetwork": "on",
    "EvidenceBucket": "evidence-bucket",
    "SecurityHub": "on",
}
ROLES = ("Evaluate", "Sweep", "SweepMember", "Refresh", "Notify", "Export", "Survey")
EVALUATORS = ("Evaluate", "Sweep", "SweepMember", "Refresh")
READS = ("Describe", "Get", "List", "Search", "Query", "BatchGet")
WRITES = (
    "BatchWriteItem",
    "DeleteItem",
    "PartiQLDelete",
    "PartiQLInsert",
    "PartiQLUpdate",
    "PutItem",
    "UpdateItem",
)
# What Lambda does with the roles.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
POLLS_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
READS_STREAM = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
ATTACHES = tuple(
    f"ec2:{it}"
    for it in (
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "DescribeNetworkInterfaces",
        "DescribeSecurityGroups",
        "DescribeSubnets",
        "DescribeVpcs",
        "AssignPrivateIpAddresses",
        "UnassignPrivateIpAddresses",
    )
)


@dataclass
class Monitor:
    """A deployed stack with enforced roles, and a network in each account.

    `gone` is the stack of a member account whose role does not exist.
    """

    aws: EmbeddedAws
    roles: EnforcedRoles
    networks: Mapping[str, SampleNetwork]
    gone: Stack

    def open_group(self, account: str, protocol: str = "tcp") -> None:
        """Open an endpoint of an account to all addresses, whose event arrives."""
        ec2 = open_session(self.aws, account).client("ec2")
        record_calls(ec2, ApiCaller(account, "NetworkAdmin", "bob"), self.forward)
        rule: Any = {
            "IpProtocol": protocol,
            "FromPort": 443,
            "ToPort": 443,
            "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
        }
        ec2.authorize_security_group_ingress(
            GroupId=self.networks[account].group, IpPermissions=[rule]
        )
        self.aws.settle()

    def forward(self, record: dict[str, Any]) -> None:
        """Put a record on the event bus of its account; `member.yaml` forwards it from there."""
        events = open_session(self.aws, record["recipientAccountId"]).client("events")
        events.put_events(Entries=[build_event_entry(record)])

    def query(self, table: str, **request: Any) -> list[dict[str, Any]]:
        """Query a table of the stack."""
        name = self.aws.stack.physical_id(table)
        return list(self.aws.session.client("dynamodb").query(TableName=name, **request)["Items"])

    def list_findings(self, account: str, status: str) -> list[dict[str, Any]]:
        """List the findings of an account."""
        return self.query(
            "FindingsTable",
            IndexName="by-account-status",
            KeyConditionExpression="account_status = :value",
            ExpressionAttributeValues={":value": {"S": f"{account}#{status}"}},
        )

    def list_rules(self, account: str, status: str) -> set[str]:
        """List the rules of the findings of an account."""
        return {it["rule"]["S"] for it in self.list_findings(account, status)}

    def list_rejected(self) -> list[str]:
        """List why changes were given up."""
        rows = self.query(
            "HistoryTable",
            KeyConditionExpression="#scope = :rejected",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues={":rejected": {"S": "rejected"}},
        )
        return [it["reason"]["S"] for it in rows]

    def read_log(self, function: str) -> str:
        """Return the log of a function."""
        return self.aws.functions[f"posture-{function}"].log.getvalue()


def open_session(aws: EmbeddedAws, account: str) -> boto3.Session:
    """Return a session of an account's administrator."""
    if account == aws.account:
        return aws.session
    role = f"arn:aws:iam::{account}:role/Admin"
    made = aws.session.client("sts").assume_role(RoleArn=role, RoleSessionName="admin")
    keys_of = made["Credentials"]
    return boto3.Session(
        keys_of["AccessKeyId"],
        keys_of["SecretAccessKey"],
        keys_of["SessionToken"],
        region_name=aws.region,
    )


@pytest.fixture(scope="module")
def monitor() -> Iterator[Monitor]:
    """Deploy the stack and a member's; let every function run once."""
    with EmbeddedAws(PATH.parent, parameters=PARAMETERS) as aws:
        create_bucket(aws, PARAMETERS["EvidenceBucket"])
        accounts = (aws.account, MEMBER, GONE)
        roles = EnforcedRoles(aws, dict.fromkeys(accounts, ORGANIZATION))
        roles.add_member(deploy_member(aws, MEMBER), MEMBER)
        monitor = Monitor(
            aws,
            roles,
            {it: build_sample_network(open_session(aws, it).client("ec2")) for it in accounts},
            deploy_member(aws, GONE),
        )
        with enforcing(roles):
            for account in (MEMBER, GONE):
                write_member(aws, account)
            for function in ("sweep", "survey", "export"):
                aws.functions[f"posture-{function}"]({})
            aws.settle()
            for account in (aws.account, MEMBER):
                monitor.open_group(account)
            yield monitor


def deploy_member(aws: EmbeddedAws, account: str) -> Stack:
    """Deploy `member.yaml` in an account."""
    return deploy_stack(
        PATH.with_name("member.yaml"),
        region=aws.region,
        name=f"posture-{account}",
        parameters={
            "MonitorAccountId": aws.account,
            "ExternalId": PARAMETERS["MemberExternalId"],
            "SharedNetwork": "on",
        },
        session=open_session(aws, account),
    )


def test_the_roles_allow_what_the_functions_do(monitor: Monitor) -> None:
    """With all conditions, through the stack's endpoints; only the missing role is denied."""
    why = "not trusted by the role, or there is no such role"
    assert {(action, why) for _, action, why in monitor.roles.denied} == {("sts:AssumeRole", why)}
    functions = {name for name, _, _ in monitor.roles.allowed}
    assert functions == set(monitor.roles.callers)
    for account in (monitor.aws.account, MEMBER):
        assert "endpoint-security-group-open" in monitor.list_rules(account, "open")


def list_inside(monitor: Monitor) -> list[Request]:
    """List the requests that went through the stack's endpoints."""
    found = [it for it in monitor.roles.allowed.values() if keys.SOURCE_ENDPOINT in it.context]
    assert {it.action.partition(":")[0] for it in found} == set(ENDPOINTS)
    return found


def test_endpoints_deny_other_principals(monitor: Monitor) -> None:
    """Another role of the account, and a role of the same name in an account of others."""
    for request in list_inside(monitor):
        named = f"arn:aws:iam::{request.account}:role/Workload"
        other = {**request.context, keys.PRINCIPAL_ARN: (named,)}
        assert not monitor.roles.passes_endpoint(replace(request, principal=named, context=other))
        name = request.principal.replace(request.account, UNTRUSTED)
        other = {
            **request.context,
            keys.PRINCIPAL_ARN: (name,),
            keys.PRINCIPAL_ACCOUNT: (UNTRUSTED,),
            keys.PRINCIPAL_ORG: ("o-another",),
        }
        namesake = replace(request, account=UNTRUSTED, principal=name, context=other)
        assert not monitor.roles.passes_endpoint(namesake)


def test_endpoints_deny_other_requests(monitor: Monitor) -> None:
    """Another action, and the same on a resource of an account of others."""
    for request in list_inside(monitor):
        service = request.action.partition(":")[0]
        deletion = replace(request, action=f"{service}:DeleteEverything")
        assert not monitor.roles.passes_endpoint(deletion)
        owner = {keys.RESOURCE_ACCOUNT: (UNTRUSTED,), keys.RESOURCE_ORG: ("o-another",)}
        theirs = replace(
            request,
            resource=request.resource.replace(monitor.aws.account, UNTRUSTED),
            context={**request.context, **owner},
        )
        assert not monitor.roles.passes_endpoint(theirs), request


@pytest.mark.parametrize("endpoint", ["", "vpce-0aaaaaaaaaaaaaaaa"])
@pytest.mark.parametrize("named", [True, False])
def test_stolen_credentials_are_worth_nothing_elsewhere(
    monitor: Monitor, endpoint: str, named: bool
) -> None:
    """Whatever a function did is denied over the internet, and through an attacker's endpoint.

    Should AWS leave the function's ARN out of such a request, four Describe actions remain, which
    Lambda itself needs; with the role of a member, and the survey's, see the tests below.
    """
    needed = {
        f"ec2:Describe{it}" for it in ("NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
    }
    left = set()
    for (function, _, _), request in monitor.roles.allowed.items():
        caller = monitor.roles.callers[function]
        if not caller.inside or request.principal != caller.arn:
            continue
        context = {**request.context, keys.SOURCE_ENDPOINT: (endpoint,)}
        context = {name: it for name, it in context.items() if it != ("",)}
        if not named:
            del context[FUNCTION_ARN]
        if not monitor.roles.explain_denied(caller, replace(request, context=context)):
            left.add(request.action)
    assert left == (set() if named else needed)


def test_what_stays_possible_with_credentials_of_the_survey_and_of_members(
    monitor: Monitor,
) -> None:
    """They work anywhere, since no endpoint is between: they read networks, and write facts."""
    survey = {
        (action, resource)
        for (function, action, resource), it in monitor.roles.allowed.items()
        if function == "posture-survey" and not action.split(":")[1].startswith(READS)
    }
    facts = monitor.roles.find_table_arn(monitor.aws.stack.physical_id("NetworkTable"))
    assert {it for it in survey if it[0] != "sts:AssumeRole"} <= {
        (f"dynamodb:{it}Item", facts) for it in ("Delete", "Put", "Update")
    }
    [member] = monitor.roles.members.values()
    for request in monitor.roles.allowed.values():
        if request.principal == member.caller.arn:
            assert request.action.split(":")[1].startswith(READS)


def test_a_function_whose_network_is_lost_does_nothing(monitor: Monitor) -> None:
    """No call of its code is allowed, so it writes nothing, and fails."""
    before = dict(monitor.roles.allowed)
    monitor.roles.outside = True
    message = {"messageId": "m-1", "body": "{}"}
    for function, payload in (("sweep", {}), ("export", {}), ("evaluate", {"Records": [message]})):
        with pytest.raises((ClientError, PostureError)):
            monitor.aws.functions[f"posture-{function}"](payload)
    monitor.roles.outside = False
    assert monitor.roles.allowed == before


def test_lambda_runs_the_functions_from_its_own_network(monitor: Monitor) -> None:
    """It polls queues and streams, writes logs and attaches functions with the same roles.

    Code with these roles can take no message off a queue, and attach nothing.
    """
    aws, roles = monitor.aws, monitor.roles
    calls: dict[str, list[tuple[str, str]]] = {}
    for mapping in aws.stack.of_type("AWS::Lambda::EventSourceMapping").values():
        source = mapping.properties["EventSourceArn"]
        its = calls.setdefault(mapping.properties["FunctionName"], [])
        its += [(it, source) for it in (POLLS_QUEUE if ":sqs:" in source else READS_STREAM)]
        if "DestinationConfig" in mapping.properties:
            failures = mapping.properties["DestinationConfig"]["OnFailure"]["Destination"]
            its.append(("sqs:SendMessage", failures))
    for function, caller in roles.callers.items():
        logs = f"arn:aws:logs:{aws.region}:{aws.account}:log-group:/aws/lambda/{function}"
        its = calls.get(function, [])
        its += [("logs:CreateLogStream", logs), ("logs:PutLogEvents", logs)]
        its += [("xray:PutTraceSegments", "*")]
        its += [(it, "*") for it in ATTACHES if caller.inside]
        for action, resource in its:
            by_lambda = replace(caller, function="")
            request = roles.build_request(by_lambda, action, resource, outside=True)
            assert not roles.explain_denied(by_lambda, request), (function, action)
            if not action.startswith(("ec2:Describe", "logs:", "xray:")):
                for outside in (False, True):
                    by_code = roles.build_request(caller, action, resource, outside=outside)
                    assert roles.explain_denied(caller, by_code), (function, action)


def list_writes(monitor: Monitor, table: str) -> dict[str, set[str]]:
    """List what each role may write to a table, from inside the functions' network."""
    arn = monitor.roles.find_table_arn(monitor.aws.stack.physical_id(table))
    found: dict[str, set[str]] = {}
    for role in (*ROLES, "Members", "Heartbeat", "OrganizationRead"):
        name = f"posture-{ {'SweepMember': 'sweep_member'}.get(role, role.lower()) }"
        caller = monitor.roles.callers.get(name) or monitor.roles.read_role(f"{role}Role")
        for action in WRITES:
            request = monitor.roles.build_request(
                caller, f"dynamodb:{action}", arn, dynamodb_leadingkeys="waiver"
            )
            if not monitor.roles.explain_denied(caller, request):
                found.setdefault(role, set()).add(action)
    return found


def test_no_role_writes_where_it_has_no_business(monitor: Monitor) -> None:
    """No role deletes or updates a row of history, and none but people writes the baseline.

    What stays possible is a put over a row, which IAM cannot condition: `posture verify` shows it.
    """
    every = {"DeleteItem", "PutItem", "UpdateItem"}
    assert list_writes(monitor, "HistoryTable") == {it: {"PutItem"} for it in EVALUATORS}
    assert list_writes(monitor, "BaselineTable") == {}
    assert list_writes(monitor, "FindingsTable") == {it: set(every) for it in EVALUATORS}
    assert list_writes(monitor, "OwnershipTable") == {it: {"PutItem"} for it in EVALUATORS}
    assert list_writes(monitor, "IdempotencyTable") == {"Notify": every}
    assert list_writes(monitor, "NetworkTable") == {
        it: set(every) for it in (*EVALUATORS, "Survey")
    }


@pytest.mark.parametrize(
    ("role", "action", "attributes", "allowed"),
    [
        ("Sweep", "UpdateItem", ("due_at", "attempts"), True),
        ("SweepMember", "UpdateItem", ("swept_at", "last_error"), True),
        ("Members", "UpdateItem", ("state", "since"), True),
        ("Sweep", "UpdateItem", ("due_at", "state"), False),
        ("SweepMember", "UpdateItem", ("source",), False),
        ("Members", "UpdateItem", ("due_at",), False),
        ("Evaluate", "UpdateItem", ("due_at",), False),
        ("Sweep", "PutItem", ("due_at",), False),
        ("Members", "DeleteItem", (), False),
    ],
)
def test_sweeps_update_members_and_the_list_decides_who_is_one(
    monitor: Monitor, role: str, action: str, attributes: tuple[str, ...], allowed: bool
) -> None:
    """A member is an item of the baseline table, whose other items are requirements and waivers."""
    arn = monitor.roles.find_table_arn(monitor.aws.stack.physical_id("BaselineTable"))
    caller = replace(monitor.roles.read_role(f"{role}Role"), inside=role != "Members")
    for kind, expected in (("member", allowed), ("waiver", False), ("baseline", False)):
        request = monitor.roles.build_request(
            caller, f"dynamodb:{action}", arn, dynamodb_leadingkeys=kind
        )
        named = {ATTRIBUTES: ("kind", "name", *attributes)}
        request = replace(request, context={**request.context, **named})
        assert bool(monitor.roles.explain_denied(caller, request)) is not expected


def test_the_heartbeat_sets_its_own_tag_only(monitor: Monitor) -> None:
    """Its role can neither tag another VPC nor set a tag that a baseline selects by."""
    roles, own = monitor.roles, monitor.aws.stack.outputs["MonitorVpcId"]
    caller = replace(roles.read_role("HeartbeatRole"), inside=False)
    vpc = f"arn:aws:ec2:{monitor.aws.region}:{monitor.aws.account}:vpc/"
    for name, key, allowed in (
        (own, "posture-heartbeat", True),
        (own, "environment", False),
        (monitor.networks[monitor.aws.account].vpc, "posture-heartbeat", False),
    ):
        tags = {"aws:tagkeys": key, f"aws:requesttag/{key}": "posture"}
        request = roles.build_request(caller, "ec2:CreateTags", vpc + name)
        named = {each: (value,) for each, value in tags.items()}
        request = replace(request, context={**request.context, **named})
        assert bool(roles.explain_denied(caller, request)) is not allowed


@pytest.mark.parametrize("bus", ["MembersBus", "SharedBus"])
@pytest.mark.parametrize(
    ("organization", "path", "allowed"),
    [
        (ORGANIZATION, f"{ORGANIZATION}/r-abcd/{UNIT}/", True),
        (ORGANIZATION, f"{ORGANIZATION}/r-abcd/{UNIT}/ou-abcd-22222222/", True),
        (ORGANIZATION, f"{ORGANIZATION}/r-abcd/ou-abcd-22222222/", False),
        (ORGANIZATION, f"{ORGANIZATION}/r-abcd/{UNIT}0/", False),
        (ORGANIZATION, f"{ORGANIZATION}/r-abcd/", False),
        ("o-another", f"o-another/r-abcd/{UNIT}/", False),
        ("", "", False),
    ],
)
def test_only_accounts_of_the_units_put_events_on_the_buses(
    monitor: Monitor, bus: str, organization: str, path: str, allowed: bool
) -> None:
    """By the organization and the path of the unit, whatever else the principal is."""
    policy = monitor.aws.stack.resources[f"{bus}Policy"].properties["Statement"]
    held = {keys.PRINCIPAL_ORG: organization, keys.PRINCIPAL_PATHS: path}
    request = Request(
        CallerKind.PRINCIPAL,
        UNTRUSTED,
        f"arn:aws:iam::{UNTRUSTED}:role/Any",
        "session",
        "events:PutEvents",
        monitor.aws.stack.outputs[f"{bus}Arn"],
        monitor.aws.account,
        context={name: (value,) for name, value in held.items() if value},
    )
    assert evaluate(parse_document({"Statement": policy}), request).allowed is allowed


def test_no_rule_of_others_sends_messages_or_alarms(monitor: Monitor) -> None:
    """EventBridge delivers to the queues and topics for the stack's own rules only."""
    stack, account = monitor.aws.stack, monitor.aws.account
    own = f"arn:aws:events:{monitor.aws.region}:{account}:rule/{stack.physical_id('ChangesRule')}"
    rules = {own: {"ChangesQueuePolicy", "UndeliveredQueuePolicy"}}
    rules |= {
        own.replace(account, it).replace("posture-", "shop-"): set() for it in (account, UNTRUSTED)
    }
    holders = [
        (name, it)
        for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy")
        for name, it in stack.of_type(kind).items()
    ]
    for rule, expected in rules.items():
        context = {"aws:sourcearn": (rule,), "aws:securetransport": ("true",)}
        admitting = set()
        for name, holder in holders:
            policy = parse_document(holder.properties["PolicyDocument"])
            for statement in holder.properties["PolicyDocument"]["Statement"]:
                for resource in as_list(statement["Resource"]):
                    for action in ("sqs:SendMessage", "sns:Publish"):
                        request = Request(
                            CallerKind.SERVICE,
                            "",
                            "",
                            "",
                            action,
                            resource,
                            account,
                            context=context,
                        )
                        if evaluate(policy, request).allowed:
                            admitting.add(name)
        assert admitting == expected


READ_ACTIONS = [
    action.removeprefix("ec2:")
    for statement in list_statements(RESOURCES["EvaluationPolicy"]["Properties"]["PolicyDocument"])
    for action in as_list(statement["Action"])
    if action.startswith("ec2:")
]


def test_the_own_account_that_refuses_everything_raises_the_alarm(monitor: Monitor) -> None:
    """The sweep fails and names the account; a finding, an alert and an alarm tell of it.

    tests/integration/evaluation/test_sweep.py refuses one call after the other.
    """
    account, log = monitor.aws.account, len(monitor.read_log("sweep"))
    monitor.aws.mailbox.collect()
    monitor.roles.refused = {(account, f"ec2:{it}") for it in READ_ACTIONS}
    with pytest.raises(SweepIncompleteError, match=account):
        monitor.aws.functions["posture-sweep"]({})
    monitor.roles.refused = set()
    check_alarm(monitor, "AccountsNotSweptAlarm", "sweep", log)
    assert "account-region-not-readable" in monitor.list_rules(account, "unknown")
    monitor.aws.settle()
    assert "account-region-not-readable" in str([it.body for it in monitor.aws.mailbox.collect()])
    monitor.aws.functions["posture-sweep"]({})
    assert "account-region-not-readable" not in monitor.list_rules(account, "unknown")


def check_alarm(monitor: Monitor, name: str, function: str, since: int) -> None:
    """Check that a metric in a function's log, from a place on, raises an alarm."""
    alarm = monitor.aws.stack.resources[name].properties
    dimensions = {it["Name"]: it["Value"] for it in alarm["Dimensions"]}
    lines = monitor.read_log(function)[since:].splitlines()
    emitted = [json.loads(it) for it in lines if f'"{alarm["MetricName"]}"' in it]
    counted = [it for it in emitted if dimensions.items() <= it.items()]
    assert max(it[alarm["MetricName"]][0] for it in counted) > float(alarm["Threshold"])


def test_a_member_without_its_role_is_unknown_until_it_is_back(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finding, an alarm, and a change that is kept with the reason and evaluated afterwards."""
    assert monitor.list_rules(GONE, "unknown") == {"account-region-not-readable"}
    check_alarm(monitor, "MembersNotSweptAlarm", "sweep_member", 0)
    monitor.open_group(GONE)
    [reason] = monitor.list_rejected()
    assert GONE in reason
    assert "sts:AssumeRole" in reason
    dead = monitor.aws.stack.outputs["ChangesDeadLetterQueueUrl"]
    held = monitor.aws.session.client("sqs").get_queue_attributes(
        QueueUrl=dead, AttributeNames=["ApproximateNumberOfMessages"]
    )
    assert int(held["Attributes"]["ApproximateNumberOfMessages"]) > 0
    monitor.roles.add_member(monitor.gone, GONE)
    assert CliRunner().invoke(app, ["redrive", "changes"]).exit_code == 0
    monitor.aws.settle()
    found = {it["rule"]["S"]: it for it in monitor.list_findings(GONE, "open")}
    assert found["endpoint-security-group-open"]["actor"]["S"].endswith("/bob")
    monkeypatch.setattr("posture.model.member.ASKED_JUST_NOW", timedelta(0))
    monitor.aws.functions["posture-sweep"]({})
    monitor.aws.settle()
    assert "account-region-not-readable" not in monitor.list_rules(GONE, "unknown")
