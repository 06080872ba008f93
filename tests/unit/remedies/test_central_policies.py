"""The policy of a central endpoint is widened by the account of the VPC, and by nothing else."""

import json
from typing import Any

import pytest

from organization_builders import HUB_ACCOUNT, build_organization, get_spoke_account
from organization_edits import SPOKE, edit_endpoint
from posture.edits.command_line import parse_command
from posture.edits.operations.endpoints import ModifyVpcEndpoint
from posture.model.verdict import Status
from posture.remedies.prove import SCAN_LIMITS, Prover
from posture.rules.central.use import evaluate_use
from posture.rules.engine import evaluate_context
from posture.rules.remediation.central import propose_central
from posture.rules.remediation.central_policies import admit_account

KMS = "com.amazonaws.eu-west-1.kms"
OWN, OTHER = get_spoke_account(1), get_spoke_account(2)
BASE = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
PRINCIPALS, OWNERS = "aws:PrincipalAccount", "aws:ResourceAccount"


def write(*statements: dict[str, Any]) -> str:
    """Write a policy of these statements."""
    return json.dumps({"Statement": [{**BASE, **each} for each in statements]})


def limit(operator: str, **values: Any) -> dict[str, Any]:
    """Build a condition on the accounts of principals, and of resources."""
    keys = {"principals": PRINCIPALS, "owners": OWNERS}
    return {"Condition": {operator: {keys[name]: each for name, each in values.items()}}}


ORGANIZATION = build_organization(services=("kms",))
ARNS = [f"arn:aws:iam::{each}:root" for each in (OTHER, OWN)]
WIDENED = {
    "condition": (
        write(limit("StringEquals", principals=[HUB_ACCOUNT, OTHER])),
        write(limit("StringEquals", principals=[HUB_ACCOUNT, OTHER, OWN])),
    ),
    "one account": (
        write(limit("StringEquals", principals=OTHER)),
        write(limit("StringEquals", principals=[OTHER, OWN])),
    ),
    "principals": (
        write({"Principal": {"AWS": ARNS[0]}}),
        write({"Principal": {"AWS": ARNS}}),
    ),
    "plain": (write({"Principal": {"AWS": [OTHER]}}), write({"Principal": {"AWS": [OTHER, OWN]}})),
    "denied": (
        write({}, {"Effect": "Deny", **limit("StringNotEquals", principals=[OTHER])}),
        write({}, {"Effect": "Deny", **limit("StringNotEquals", principals=[OTHER, OWN])}),
    ),
    "resources of the same": (
        write(limit("StringEquals", principals=[OTHER], owners=[OTHER])),
        write(limit("StringEquals", principals=[OTHER, OWN], owners=[OTHER, OWN])),
    ),
    "resources of others": (
        write(limit("StringEquals", principals=[OTHER], owners=[HUB_ACCOUNT])),
        write(limit("StringEquals", principals=[OTHER, OWN], owners=[HUB_ACCOUNT])),
    ),
}


@pytest.mark.parametrize("name", WIDENED)
def test_the_account_joins_those_that_the_policy_names(name: str) -> None:
    """The command is proven, for the VPC and for the one of the endpoint."""
    policy, widened = WIDENED[name]
    assert json.loads(str(admit_account(policy, OWN))) == json.loads(widened)
    vpc = edit_endpoint("kms", policy=policy)(ORGANIZATION).build_context(SPOKE)
    use = evaluate_use(vpc, vpc.snapshot.services[KMS])
    (found,) = propose_central(vpc, use)
    (edit,) = parse_command(found.command)
    assert isinstance(edit, ModifyVpcEndpoint)
    assert json.loads(str(edit.policy_document)) == json.loads(widened)
    assert HUB_ACCOUNT in found.text
    verdicts = evaluate_context(vpc)
    (failing,) = (each for each in verdicts if each.status is Status.FAIL)
    assert not Prover(vpc, verdicts, SCAN_LIMITS).find_problem(found.command, failing)


@pytest.mark.parametrize(
    "policy",
    [
        write({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:role/a"}}),
        write({"Effect": "Deny", **limit("StringEquals", principals=[OWN])}, {}),
        write(limit("StringEquals", principals=[f"{OTHER}*"])),
        write(limit("StringEquals", principals=[OWN])),
        write(limit("StringNotEquals", principals=[OTHER])),
        write(limit("StringEquals", principals=[str(10**11 + each) for each in range(1500)])),
        json.dumps({"Statement": "none"}),
        "[]",
        "{",
    ],
)
def test_no_other_policy_is_widened(policy: str) -> None:
    """It names roles, denies the account, names it already, is too long or is no policy."""
    assert admit_account(policy, OWN) is None


def test_a_policy_that_denies_the_account_gets_no_command() -> None:
    """What widens it is not enough, so nothing is proposed."""
    deny = {"Effect": "Deny", **limit("StringEquals", principals=[OWN])}
    policy = write(limit("StringEquals", principals=[OTHER]), deny)
    vpc = edit_endpoint("kms", policy=policy)(ORGANIZATION).build_context(SPOKE)
    use = evaluate_use(vpc, vpc.snapshot.services[KMS])
    assert use.deciding
    assert propose_central(vpc, use) == ()
