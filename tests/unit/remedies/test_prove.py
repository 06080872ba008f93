"""Which remediation is reported: the first that is proven on the snapshot, or none."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from network_builders import (
    DYNAMODB,
    KMS,
    OWN_ONLY,
    S3,
    SCOPE,
    VPC,
    admits,
    build_snapshot,
    eni,
    gateway,
    group,
    interface,
    nat,
    open_acl,
    route,
    subnet,
    table,
)
from posture.analysis.kept_parts import PARTS
from posture.edits.apply import apply_edits
from posture.edits.command_line import parse_command
from posture.model.baseline import Baseline
from posture.model.endpoint_service import Connection, EndpointServiceSnapshot
from posture.model.network import Facet, Snapshot
from posture.model.scope import Scope
from posture.model.verdict import Remediation, Status, Verdict
from posture.remedies.changed_rules import POLICY_RULES
from posture.remedies.prove import EVENT_LIMITS, NOT_CHECKED, ProofLimits, Prover
from posture.rules.contexts import EndpointServiceContext, VpcContext
from posture.rules.engine import evaluate_context, evaluate_endpoint_service
from posture.rules.rule_catalogue import VPC_RULES

SUBNETS = (subnet("a"), subnet("b", "b", "10.0.1.0/24"), subnet("public", "a", "10.0.9.0/24"))
PUBLIC = table("public", route("0.0.0.0/0", "igw-1"), route("pl-s3", "vpce-s3"), subnets=["public"])
PRIVATE = table("private", route("0.0.0.0/0", "nat-1"), subnets=["a", "b"])
WITH_ROUTE = replace(PRIVATE, routes=(*PRIVATE.routes, route("pl-s3", "vpce-s3")))
CLOSED = json.dumps(
    {
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": {
                "StringEquals": {
                    "aws:PrincipalAccount": "111122223333",
                    "aws:ResourceAccount": "111122223333",
                }
            },
        }
    }
)
FULL = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}'
BASELINE = Baseline()
RULE_MISSING = "subnet-without-gateway-endpoint-route"
RULE_OPEN = "endpoint-security-group-open"
RULE_FULL = "endpoint-policy-allows-full-access"
ASSOCIATE = (
    "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --add-route-table-ids rtb-private"
)


def network(*parts: object) -> Snapshot:
    """Build a VPC whose public subnet has a route to the S3 endpoint and the others have none."""
    return build_snapshot(
        *SUBNETS,
        PUBLIC,
        nat("1"),
        PRIVATE,
        open_acl("open", ["a", "b", "public"]),
        gateway("s3", tables=["public"], policy=CLOSED),
        *parts,
    )


KMS_PARTS = (
    interface("kms", network_interface_ids=("eni-a",), subnet_ids=("subnet-a",), policy=CLOSED),
    eni("a", "a", "10.0.0.10"),
)


def prove(
    snapshot: Snapshot,
    rule: str,
    *commands: str,
    resource: str | None = None,
    baseline: Baseline = BASELINE,
    limits: ProofLimits = EVENT_LIMITS,
) -> Remediation:
    """Prove candidates for the first finding of a rule."""
    prover, verdicts = prepare(snapshot, baseline, limits)
    stated = next(
        each
        for each in verdicts
        if each.rule == rule and is_bad(each) and resource in {None, each.resource}
    )
    return prover.prove(with_candidates(stated, commands)).remediation or Remediation("")


def prepare(
    snapshot: Snapshot, baseline: Baseline = BASELINE, limits: ProofLimits = EVENT_LIMITS
) -> tuple[Prover, Sequence[Verdict]]:
    """Evaluate a snapshot and return its verdicts and their prover."""
    context = VpcContext(snapshot, baseline)
    verdicts = evaluate_context(context)
    return Prover(context, verdicts, limits), verdicts


def with_candidates(verdict: Verdict, commands: Sequence[str]) -> Verdict:
    """Return a verdict with candidates of these commands, numbered in their texts."""
    candidates = [Remediation(f"Do {at}.", each) for at, each in enumerate(commands)]
    return replace(verdict, remediation=candidates[0], alternatives=tuple(candidates[1:]))


def is_bad(verdict: Verdict) -> bool:
    """Whether a verdict is a finding."""
    return verdict.status in {Status.FAIL, Status.UNKNOWN}


def test_a_command_that_resolves_its_findings_and_opens_nothing_is_verified() -> None:
    """Both subnets use the table, so that one command resolves both findings, by one text."""
    prover, verdicts = prepare(network())
    stated = [
        with_candidates(it, [ASSOCIATE])
        for it in verdicts
        if it.rule == RULE_MISSING and is_bad(it)
    ]
    assert len(stated) == 2
    first, second = (prover.prove(each).remediation for each in stated)
    assert first == second
    assert first is not None
    assert first.command == ASSOCIATE
    assert first.verified.endswith("; opens nothing")
    assert f"{RULE_MISSING} on subnet-a and subnet-b" in first.verified


def test_one_finding_is_resolved() -> None:
    """The shortest text is that of the ordinary case."""
    open_group = group("endpoints", admits("0.0.0.0/0"), admits("10.0.0.0/16"))
    found = prove(
        network(*KMS_PARTS, open_group),
        RULE_OPEN,
        "aws ec2 revoke-security-group-ingress --group-id sg-endpoints --protocol tcp --port 443 "
        "--cidr 0.0.0.0/0",
    )
    assert found.verified == "resolves this; opens nothing"


def test_a_revoked_open_rule_needs_the_rule_that_admits_the_vpc() -> None:
    """Revoking alone blocks all clients, so the sequence that authorises first is given."""
    revoke = (
        "aws ec2 revoke-security-group-ingress --group-id sg-endpoints --protocol tcp --port 443 "
        "--cidr 0.0.0.0/0"
    )
    authorise = (
        "aws ec2 authorize-security-group-ingress --group-id sg-endpoints --protocol tcp "
        "--port 443 --cidr 10.0.0.0/16"
    )
    snapshot = network(*KMS_PARTS, group("endpoints", admits("0.0.0.0/0")))
    found = prove(snapshot, RULE_OPEN, revoke, f"{authorise} && {revoke}")
    assert (found.text, found.command) == ("Do 1.", f"{authorise} && {revoke}")
    alone = prove(snapshot, RULE_OPEN, revoke)
    assert not alone.command
    assert not alone.verified
    assert "No command is given: revoke-security-group-ingress would" in alone.text
    assert "kms" in alone.text


def test_a_second_gateway_endpoint_for_a_table_is_refused_and_the_next_candidate_is_tried() -> None:
    """EC2 refuses a second route to a service's prefix list."""
    second = (
        f"aws ec2 create-vpc-endpoint --vpc-id vpc-1 --vpc-endpoint-type Gateway "
        f"--service-name {S3} --route-table-ids rtb-public rtb-private"
    )
    assert prove(network(), RULE_MISSING, second, ASSOCIATE).command == ASSOCIATE
    refused = prove(network(), RULE_MISSING, second)
    assert not refused.command
    assert "EC2 would refuse create-vpc-endpoint (RouteAlreadyExists" in refused.text


def test_a_gateway_endpoint_without_a_policy_opens_a_finding() -> None:
    """It allows full access; with a policy, it is proven."""
    bare = build_snapshot(
        *SUBNETS,
        replace(PUBLIC, routes=PUBLIC.routes[:-1]),
        PRIVATE,
        nat("1"),
        open_acl("open", ["a", "b", "public"]),
    )
    create = (
        "aws ec2 create-vpc-endpoint --vpc-id vpc-1 --vpc-endpoint-type Gateway --service-name {} "
        "--route-table-ids rtb-public rtb-private --policy-document '{}'"
    )
    rule, names = "gateway-service-bypasses-endpoint", (S3, DYNAMODB)
    opened = " && ".join(create.format(name, FULL) for name in names)
    closed = " && ".join(create.format(name, CLOSED) for name in names)
    found = prove(bare, rule, opened, closed)
    assert found.command == closed
    alone = prove(bare, rule, opened)
    assert f"would open {RULE_FULL} (medium) on vpce-new-1" in alone.text
    one_table = create.format(S3, CLOSED).replace("rtb-public rtb-private", "rtb-private")
    assert "No command is given" in prove(bare, rule, one_table, resource="subnet-a").text


def test_private_dns_is_not_switched_on_while_a_group_stops_the_traffic() -> None:
    """The names would lead to an endpoint that nobody reaches."""
    endpoint = replace(KMS_PARTS[0], private_dns=False)
    enable = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-kms --private-dns-enabled"
    rule = "endpoint-private-dns-disabled"
    blocked = network(endpoint, KMS_PARTS[1], group("endpoints"))
    assert "kms" in prove(blocked, rule, enable).text
    assert not prove(blocked, rule, enable).command
    authorise = (
        "aws ec2 authorize-security-group-ingress --group-id sg-endpoints --protocol tcp "
        "--port 443 --cidr 10.0.0.0/16"
    )
    found = prove(blocked, rule, enable, f"{authorise} && {enable}")
    assert found.text == "Do 1."
    assert "provided that no private hosted zone for kms.eu-west-1.amazonaws.com" in found.verified


def test_private_dns_needs_host_names() -> None:
    """EC2 refuses private DNS in a VPC without them, so they come first in the sequence."""
    endpoint = replace(KMS_PARTS[0], private_dns=False)
    snapshot = replace(network(endpoint, KMS_PARTS[1]), vpc=replace(VPC, dns_hostnames=False))
    enable = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-kms --private-dns-enabled"
    attribute = (
        "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-hostnames '{\"Value\":true}'"
    )
    rule = next(
        it.rule
        for it in evaluate_context(VpcContext(snapshot, BASELINE))
        if is_bad(it) and it.rule.startswith("endpoint-private-dns")
    )
    assert "EC2 would refuse modify-vpc-endpoint" in prove(snapshot, rule, enable).text
    assert prove(snapshot, rule, enable, f"{attribute} && {enable}").text == "Do 1."


def test_private_dns_is_refused_beside_another_endpoint_that_has_it() -> None:
    """The private hosted zone of a service belongs to one endpoint of a VPC."""
    second = interface("kms2", private_dns=False, policy=CLOSED)
    enable = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-kms2 --private-dns-enabled"
    found = prove(network(*KMS_PARTS, second), RULE_MISSING, enable, ASSOCIATE)
    assert found.command == ASSOCIATE
    refused = prove(network(*KMS_PARTS, second), RULE_MISSING, enable)
    assert "EC2 would refuse modify-vpc-endpoint" in refused.text


def test_a_required_endpoint_whose_group_admits_one_subnet_cuts_the_others_off() -> None:
    """Its private DNS names replace the public ones in every subnet."""
    create = (
        f"aws ec2 create-vpc-endpoint --vpc-id vpc-1 --vpc-endpoint-type Interface "
        f"--service-name {KMS} --subnet-ids subnet-a --security-group-ids sg-narrow "
        f"--private-dns-enabled --policy-document '{CLOSED}'"
    )
    snapshot = network(group("narrow", admits("10.0.0.0/24")), group("wide", admits("10.0.0.0/16")))
    baseline = Baseline(required_services=("kms",))
    rule = "required-service-without-endpoint"
    found = prove(snapshot, rule, create, create.replace("narrow", "wide"), baseline=baseline)
    assert "sg-wide" in found.command
    assert "subnet-b" in prove(snapshot, rule, create, baseline=baseline).text


def test_a_policy_that_lets_nobody_in_is_no_remedy() -> None:
    """Denying the untrusted is not enough where nothing allows the own account."""
    stranger = json.dumps(
        {
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": "444455556666"},
                "Action": "*",
                "Resource": "*",
            }
        }
    )
    nobody = json.dumps(
        {
            "Statement": [
                json.loads(stranger)["Statement"],
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "*",
                    "Resource": "*",
                    "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "111122223333"}},
                },
            ]
        }
    )
    modify = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --policy-document '{}'"
    snapshot = network(gateway("s3", tables=["public"], policy=stranger))
    rule = "endpoint-policy-allows-untrusted-principal"
    found = prove(snapshot, rule, modify.format(nobody), modify.format(CLOSED))
    assert found.command == modify.format(CLOSED)
    assert "would allow no request" in prove(snapshot, rule, modify.format(nobody)).text


def test_a_policy_that_denies_trusted_principals_what_they_could_do_is_no_remedy() -> None:
    """A remedy closes the endpoint to others, and to nobody else."""
    reading = CLOSED.replace('"Action": "*"', '"Action": "s3:GetObject"')
    modify = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --policy-document '{}'"
    snapshot = network(gateway("s3", tables=["public"], policy=FULL))
    alone = prove(snapshot, RULE_FULL, modify.format(reading))
    assert not alone.command
    assert "would deny what it allows now" in alone.text
    assert prove(snapshot, RULE_FULL, modify.format(CLOSED)).command
    listed = Baseline(allowed_actions=frozenset({"s3:GetObject"}))
    assert prove(snapshot, RULE_FULL, modify.format(reading), baseline=listed).command


def test_a_policy_that_stops_a_required_service_is_no_remedy() -> None:
    """ECR keeps its layers in a bucket of AWS, which a policy for own resources denies."""
    modify = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --policy-document '{}'"
    snapshot = network(gateway("s3", tables=["public"], policy=FULL))
    baseline = Baseline(required_services=("ecr.dkr",))
    alone = prove(snapshot, RULE_FULL, modify.format(CLOSED), baseline=baseline)
    assert not alone.command
    assert "endpoint-policy-blocks-required-service" in alone.text


def test_what_is_less_severe_is_named() -> None:
    """A finding may open that is not as severe as the one that is resolved."""
    snapshot = network(
        interface("kms", network_interface_ids=("eni-a", "eni-b"), policy=CLOSED),
        eni("a", "a", "10.0.0.10"),
        replace(eni("b", "b", "10.0.1.10"), zone="eu-west-1b"),
        group("endpoints", admits("0.0.0.0/0"), admits("10.0.0.0/16")),
    )
    revoke = (
        "aws ec2 revoke-security-group-ingress --group-id sg-endpoints --protocol tcp --port 443 "
        "--cidr 0.0.0.0/0"
    )
    remove = "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-kms --remove-subnet-ids subnet-b"
    found = prove(snapshot, RULE_OPEN, f"{revoke} && {remove}")
    assert found.verified == (
        "resolves this; opens 1 finding of severity low "
        "(endpoint-single-availability-zone on vpce-kms)"
    )


def test_a_command_that_does_not_resolve_its_finding_is_not_given() -> None:
    """It may do something else."""
    other = "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support '{\"Value\":true}'"
    found = prove(network(), RULE_MISSING, other)
    assert not found.command
    assert "modify-vpc-attribute would not resolve this" in found.text


@pytest.mark.parametrize(
    "command",
    [
        "aws ec2 describe-vpcs",
        "aws ec2 modify-vpc-endpoint --policy-document file://policy.json",
        "rm -rf /",
        "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --add-route-table-ids 'rtb",
        f"{ASSOCIATE} --region us-east-1",
    ],
)
def test_a_command_that_cannot_be_checked_is_not_given(command: str) -> None:
    """It names no edit of this network that could be applied."""
    found = prove(network(), RULE_MISSING, command)
    assert not found.command
    assert "its effect cannot be checked" in found.text


def test_advice_without_a_command_stays_as_it_is() -> None:
    """There is nothing to prove."""
    assert prove(network(), RULE_MISSING, "") == Remediation("Do 0.")


def test_advice_is_given_with_the_reason_why_no_command_is() -> None:
    """The sentence without a command is the one that still holds."""
    found = prove(
        network(), RULE_MISSING, "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-s3", ""
    )
    assert found.text.startswith("Do 1. No command is given: delete-vpc-endpoints would")


def test_facts_that_were_not_read_prove_nothing() -> None:
    """Without the network ACLs, it is not known whether the subnets reach the endpoint."""
    snapshot = replace(network(), network_acls={}, unreadable={Facet.NETWORK_ACLS: "denied"})
    found = prove(snapshot, RULE_MISSING, ASSOCIATE)
    assert not found.command
    assert "No command is given" in found.text


def test_the_most_severe_findings_are_proven_first_and_the_rest_say_so() -> None:
    """The work of one evaluation is limited."""
    snapshot = network(*KMS_PARTS, group("endpoints", admits("0.0.0.0/0"), admits("10.0.0.0/16")))
    limits = replace(EVENT_LIMITS, trials=1)
    prover, verdicts = prepare(snapshot, limits=limits)
    revoke = (
        "aws ec2 revoke-security-group-ingress --group-id sg-endpoints --protocol tcp --port 443 "
        "--cidr 0.0.0.0/0"
    )
    stated = [
        with_candidates(each, [ASSOCIATE if each.rule == RULE_MISSING else revoke])
        for each in verdicts
        if each.rule in {RULE_MISSING, RULE_OPEN} and is_bad(each)
    ]
    proven = prover.prove_all(stated)
    remedies = {rule: each.remediation for (rule, _), each in proven.items()}
    opened, missing = remedies[RULE_OPEN], remedies[RULE_MISSING]
    assert opened is not None
    assert missing is not None
    assert opened.command == revoke
    assert not missing.command
    assert "a limited number of commands is checked at a time" in missing.text


@pytest.mark.parametrize(
    "limits",
    [
        replace(EVENT_LIMITS, trials=0),
        replace(EVENT_LIMITS, answers=0),
        replace(EVENT_LIMITS, policy_units=0),
    ],
)
def test_every_limit_ends_the_proofs(limits: ProofLimits) -> None:
    """No command is given that was not tried."""
    found = prove(network(), RULE_MISSING, ASSOCIATE, limits=limits)
    assert not found.command
    assert "posture scan --vpc checks those of one VPC" in found.text


def test_the_result_does_not_depend_on_the_order_of_verdicts() -> None:
    """All findings of a network, proven in any order, have the same remediations."""
    snapshot = network(*KMS_PARTS, group("endpoints", admits("0.0.0.0/0")))
    prover, verdicts = prepare(snapshot)
    bad = [each for each in verdicts if is_bad(each)]
    again, _ = prepare(snapshot)
    assert prover.prove_all(bad) == again.prove_all(reversed(bad))


def test_what_is_proven_is_no_candidate_any_more() -> None:
    """A verdict with its proven remediation is reported as it is."""
    prover, verdicts = prepare(network())
    proven = prover.prove_all(filter(is_bad, verdicts))
    assert all(each.alternatives == () for each in proven.values())
    for each in proven.values():
        remedy = each.remediation
        assert remedy is None or bool(remedy.command) == bool(remedy.verified)


@pytest.mark.parametrize("policy", [FULL, OWN_ONLY, CLOSED, None, "{"])
def test_no_rule_but_those_about_policies_reads_a_policy(policy: str | None) -> None:
    """A command that sets policies only is evaluated with these rules only."""
    others = [each for each in VPC_RULES if each.id not in POLICY_RULES]
    before = network(*KMS_PARTS)
    endpoints = {name: replace(each, policy=policy) for name, each in before.endpoints.items()}
    was, now = (
        evaluate_context(VpcContext(each, BASELINE), others)
        for each in (before, replace(before, endpoints=endpoints))
    )
    assert [replace(each, remediation=None, alternatives=()) for each in was] == [
        replace(each, remediation=None, alternatives=()) for each in now
    ]


def test_the_rules_about_policies_read_nothing_else() -> None:
    """A command that concerns no policy is evaluated without these rules."""
    before = network(*KMS_PARTS)
    endpoints = {
        name: replace(
            each,
            route_table_ids=(),
            subnet_ids=(),
            security_group_ids=(),
            network_interface_ids=(),
            private_dns=None,
        )
        for name, each in before.endpoints.items()
    }
    emptied = replace(
        before,
        vpc=replace(before.vpc, dns_hostnames=False),
        route_tables={},
        network_acls={},
        security_groups={},
        nat_gateways={},
        network_interfaces={},
        subnets={},
        prefix_lists={},
        endpoints=endpoints,
    )
    was, now = (
        evaluate_context(VpcContext(each, BASELINE), POLICY_RULES.values())
        for each in (before, emptied)
    )
    assert was == now


@pytest.mark.parametrize(
    "command",
    [
        ASSOCIATE,
        "aws ec2 delete-route --route-table-id rtb-private --destination-cidr-block 0.0.0.0/0",
        "aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-kms --no-private-dns-enabled",
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --policy-document '{FULL}'",
        "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-kms",
        f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-kms --policy-document '{FULL}'",
        (
            "aws ec2 revoke-security-group-ingress --group-id sg-endpoints --protocol tcp "
            "--port 443 --cidr 10.0.0.0/16"
        ),
        (
            "aws ec2 create-network-acl-entry --network-acl-id acl-open --rule-number 50 --ingress "
            "--protocol tcp --port-range From=443,To=443 --cidr-block 0.0.0.0/0 --rule-action deny"
        ),
        "aws ec2 modify-vpc-attribute --vpc-id vpc-1 --enable-dns-support '{\"Value\":false}'",
    ],
)
def test_what_is_shared_with_the_network_before_does_not_change_an_answer(command: str) -> None:
    """A trial and an evaluation from scratch have the same verdicts and cells."""
    before = VpcContext(network(*KMS_PARTS), BASELINE)
    evaluate_context(before)
    snapshot = apply_edits(before.snapshot, parse_command(command)).snapshot
    tried = VpcContext(snapshot, BASELINE, former=before)
    scratch = VpcContext(snapshot, BASELINE)
    advised = [
        replace(each, remediation=None, alternatives=()) for each in evaluate_context(scratch)
    ]
    assert list(evaluate_context(tried)) == advised
    assert tried.coverage == scratch.coverage


def test_a_policy_that_a_command_does_not_concern_is_not_evaluated_again() -> None:
    """Its results are those of before; the policy that the command sets has new ones."""
    before = VpcContext(network(*KMS_PARTS), BASELINE)
    evaluate_context(before)
    command = f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id vpce-s3 --policy-document '{FULL}'"
    snapshot = apply_edits(before.snapshot, parse_command(command)).snapshot
    tried = VpcContext(snapshot, BASELINE, former=before)
    evaluate_context(tried)
    kept = {key for key, it in before.policy_results.items() if tried.policy_results[key] is it}
    assert {endpoint_id for _, endpoint_id, _ in kept} == {"vpce-kms"}


def test_a_policy_is_evaluated_again_where_names_lead_to_another_endpoint() -> None:
    """An interface endpoint is not asked for what a gateway endpoint of its service carries."""
    parts = (*KMS_PARTS, interface("named", gateway("s3").service_name, private_dns=False))
    baseline = replace(BASELINE, required_services=("s3",))
    before = VpcContext(network(*parts), baseline)
    evaluate_context(before)
    command = "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids vpce-s3"
    snapshot = apply_edits(before.snapshot, parse_command(command)).snapshot
    tried, scratch = VpcContext(snapshot, baseline, former=before), VpcContext(snapshot, baseline)
    (needs,) = [it for it in VPC_RULES if it.id == "endpoint-policy-blocks-required-service"]
    was, now, expected = (
        {each.resource: each.status for each in evaluate_context(it, [needs])}
        for it in (before, tried, scratch)
    )
    assert now == expected
    assert now["vpce-named"] is not was["vpce-named"]


def test_every_part_of_a_snapshot_is_compared() -> None:
    """A part that is left out would let an analysis be shared that no longer holds."""
    known = {*PARTS, "scope", "observed_at"}
    assert set(Snapshot.__dataclass_fields__) == known


SERVICE_SCOPE = Scope(SCOPE.account, SCOPE.region, "vpce-svc-0123456789abcdef0")


def test_the_permission_of_an_endpoint_service_is_taken_away() -> None:
    """Commands about endpoint services are proven in the same way."""
    snapshot = EndpointServiceSnapshot(
        SERVICE_SCOPE,
        build_snapshot().observed_at,
        name=f"com.amazonaws.vpce.{SCOPE.region}.vpce-svc-0123456789abcdef0",
        state="available",
        acceptance_required=True,
        principals=("*",),
        connections=(Connection("vpce-1", SCOPE.account, "available"),),
    )
    verdicts = evaluate_endpoint_service(snapshot, BASELINE)
    rule = "endpoint-service-allows-untrusted-principal"
    (stated,) = (each for each in verdicts if each.rule == rule and is_bad(each))
    prover = Prover(EndpointServiceContext(snapshot, BASELINE), verdicts)
    remove = (
        "aws ec2 modify-vpc-endpoint-service-permissions "
        "--service-id vpce-svc-0123456789abcdef0 --remove-allowed-principals '*'"
    )
    other = remove.replace("'*'", "arn:aws:iam::444455556666:root")
    found = prover.prove(with_candidates(stated, [other, remove])).remediation
    assert found is not None
    assert (found.command, found.verified) == (remove, "resolves this; opens nothing")


@pytest.mark.parametrize(("routes", "tried"), [(10, 2), (300, 1)])
def test_routes_count_as_work(routes: int, tried: int) -> None:
    """As many trials are made as the routes allow that each evaluates anew; the first is always."""
    blocks = [route(f"198.18.{at // 4}.{at % 4 * 64}/26", "nat-1") for at in range(routes)]
    private = replace(PRIVATE, routes=(*PRIVATE.routes, *blocks))
    limits = replace(EVENT_LIMITS, answers=300)
    deletions = [
        f"aws ec2 delete-route --route-table-id rtb-private --destination-cidr-block {each.cidr}"
        for each in blocks[:2]
    ]
    prover, verdicts = prepare(network(private), limits=limits)
    failing = next(each for each in verdicts if is_bad(each))

    found = [prover.find_problem(each, failing) for each in deletions]
    assert sum(NOT_CHECKED not in each for each in found) == tried
