"""Edits of security groups and network ACLs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edit_builders import Request, refusal, request, run
from network_builders import (
    VPC_ID,
    acl,
    admits,
    allow,
    build_snapshot,
    group,
    interface,
    open_acl,
    prefix_list,
    subnet,
)
from posture.edits.apply import apply_edits
from posture.edits.requests import parse_request
from posture.errors import UndecidedEditError
from posture.model.network import Snapshot

NETWORK = build_snapshot(
    subnet("a"),
    group("endpoints", admits("10.0.0.0/16"), admits("pl-own"), admits("sg-clients")),
    group("clients", group_name="clients"),
    group("unused", group_name="unused"),
    group("default", group_name="default"),
    interface("kms", subnet_ids=()),
    prefix_list("pl-own", "10.1.0.0/16"),
    prefix_list("pl-unread"),
    open_acl("a", ["a"]),
    acl("b", allow(100), allow(32767, allow=False), subnets=[]),
)


def rules(
    operation: str = "AuthorizeSecurityGroupIngress", group_id: str = "sg-endpoints", **more: Any
) -> Request:
    """Build a request about rules for TCP 443."""
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **more}
    return request(operation, GroupId=group_id, IpPermissions=[permission])


def cidr(text: str) -> dict[str, Any]:
    """Return the peers of a permission for one block."""
    return {"IpRanges": [{"CidrIp": text}]}


def test_rules_are_added_and_removed() -> None:
    """Of each kind of peer, in both directions; a description is not compared."""
    described = {"IpRanges": [{"CidrIp": "10.2.0.1/16", "Description": "why"}]}
    for peers in (described, {"PrefixListIds": [{"PrefixListId": "pl-own"}]},
                  {"UserIdGroupPairs": [{"GroupId": "sg-default"}]}):  # fmt: skip
        for direction in ("Ingress", "Egress"):
            added = run(NETWORK, rules(f"AuthorizeSecurityGroup{direction}", "sg-clients", **peers))
            assert added != NETWORK
            bare = {"IpRanges": [{"CidrIp": "10.2.0.0/16"}]} if peers is described else peers
            back = run(added, rules(f"RevokeSecurityGroup{direction}", "sg-clients", **bare))
            assert back == NETWORK


def test_single_rule_in_the_request_itself_is_the_same() -> None:
    """The older form of the request, which the AWS CLI still uses."""
    plain = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.2.0.0/16"}
    flat = request("AuthorizeSecurityGroupIngress", GroupId="sg-endpoints", **plain)
    assert run(NETWORK, flat) == run(NETWORK, rules(**cidr("10.2.0.0/16")))


def test_new_group_allows_outbound_traffic_only() -> None:
    """And its name is free again once it is deleted."""
    create = request("CreateSecurityGroup", GroupName="new", Description="x", VpcId=VPC_ID)
    made = run(NETWORK, create, rules(group_id="sg-new-1", **cidr("10.0.0.0/16")))
    assert made.security_groups["sg-new-1"].ingress == (admits("10.0.0.0/16"),)
    assert [str(each.cidr) for each in made.security_groups["sg-new-1"].egress] == ["0.0.0.0/0"]
    assert refusal(made, create) == "InvalidGroup.Duplicate"
    assert run(made, request("DeleteSecurityGroup", GroupId="sg-new-1")) == NETWORK


def entry(operation: str = "CreateNetworkAclEntry", acl_id: str = "acl-a", **more: Any) -> Request:
    """Build a request about an entry for inbound HTTPS."""
    params = {
        "RuleNumber": 50,
        "Egress": False,
        "Protocol": "6",
        "RuleAction": "deny",
        "CidrBlock": "10.0.0.0/24",
        "PortRange": {"From": 443, "To": 443},
    }
    return request(operation, NetworkAclId=acl_id, **(params | more))


def test_entries_are_created_replaced_and_deleted() -> None:
    """They stay in the order in which they apply."""
    made = run(NETWORK, entry())
    assert [each.number for each in made.network_acls["acl-a"].entries] == [50, 100, 100]
    swapped = run(made, entry("ReplaceNetworkAclEntry", RuleAction="allow"))
    assert swapped.network_acls["acl-a"].entries[0].allow
    gone = request("DeleteNetworkAclEntry", NetworkAclId="acl-a", RuleNumber=50, Egress=False)
    assert run(swapped, gone) == NETWORK


def test_subnet_gets_another_acl() -> None:
    """Under a new association id; a new ACL denies all traffic."""
    moved = run(
        NETWORK,
        request("CreateNetworkAcl", VpcId=VPC_ID),
        request(
            "ReplaceNetworkAclAssociation", AssociationId="aclassoc-a", NetworkAclId="acl-new-1"
        ),
    )
    assert moved.network_acls["acl-a"].subnet_ids == ()
    assert moved.network_acls["acl-new-1"].associations == {"aclassoc-new-1": "subnet-a"}
    assert not any(each.allow for each in moved.network_acls["acl-new-1"].entries)
    assert "acl-a" not in run(moved, request("DeleteNetworkAcl", NetworkAclId="acl-a")).network_acls


@pytest.mark.parametrize(
    ("requested", "code"),
    [
        (rules(**cidr("10.0.0.0/16")), "InvalidPermission.Duplicate"),
        (rules("RevokeSecurityGroupIngress", **cidr("10.9.0.0/16")), "InvalidPermission.NotFound"),
        (rules(group_id="sg-x", **cidr("10.9.0.0/16")), "InvalidGroup.NotFound"),
        (rules(UserIdGroupPairs=[{"GroupId": "sg-x"}]), "InvalidGroup.NotFound"),
        (rules(FromPort=444, **cidr("10.9.0.0/16")), "InvalidParameterValue"),
        (rules(ToPort=65536, **cidr("10.9.0.0/16")), "InvalidParameterValue"),
        (rules(IpProtocol="nope", **cidr("10.9.0.0/16")), "InvalidPermission.Malformed"),
        (request("AuthorizeSecurityGroupIngress", GroupId="sg-endpoints"), "MissingParameter"),
        (request("DeleteSecurityGroup", GroupId="sg-endpoints"), "DependencyViolation"),
        (request("DeleteSecurityGroup", GroupId="sg-clients"), "DependencyViolation"),
        (request("DeleteSecurityGroup", GroupId="sg-default"), "CannotDelete"),
        (request("CreateSecurityGroup", GroupName="sg-1", Description="x", VpcId=VPC_ID),
         "InvalidParameterValue"),
        (entry(RuleNumber=100), "NetworkAclEntryAlreadyExists"),
        (entry(RuleNumber=32767), "InvalidParameterValue"),
        (entry(RuleNumber=0), "InvalidParameterValue"),
        (entry(RuleAction="drop"), "InvalidParameterValue"),
        (entry(Protocol="256"), "InvalidParameterValue"),
        (entry(PortRange={"From": 2, "To": 1}), "InvalidParameterValue"),
        (entry(PortRange=None), "MissingParameter"),
        (entry(CidrBlock=None), "MissingParameter"),
        (entry(Ipv6CidrBlock="::/0"), "InvalidParameterCombination"),
        (entry(Protocol="1"), "MissingParameter"),
        (entry("ReplaceNetworkAclEntry", RuleNumber=51), "InvalidNetworkAclEntry.NotFound"),
        (request("DeleteNetworkAclEntry", NetworkAclId="acl-b", RuleNumber=32767, Egress=False),
         "InvalidNetworkAclEntry.NotFound"),
        (entry(acl_id="acl-x"), "InvalidNetworkAclID.NotFound"),
        (request("DeleteNetworkAcl", NetworkAclId="acl-a"), "DependencyViolation"),
        (request("ReplaceNetworkAclAssociation", AssociationId="aclassoc-x", NetworkAclId="acl-a"),
         "InvalidAssociationID.NotFound"),
    ],
)  # fmt: skip
def test_refusals_have_the_codes_of_ec2(requested: Request, code: str) -> None:
    """EC2 refuses these requests."""
    assert refusal(NETWORK, requested) == code


@pytest.mark.parametrize(
    "requested",
    [
        rules(PrefixListIds=[{"PrefixListId": "pl-unread"}]),
        rules(PrefixListIds=[{"PrefixListId": "pl-other"}]),
        request("RevokeSecurityGroupIngress", GroupId="sg-clients", SecurityGroupRuleIds=["sgr-1"]),
    ],
)
def test_what_the_snapshot_does_not_hold_is_not_guessed(requested: Request) -> None:
    """Entries of other prefix lists, and ids of rules."""
    with pytest.raises(UndecidedEditError):
        run(NETWORK, requested)


def test_forty_entries_are_the_most() -> None:
    """A quota that AWS does not raise further."""
    full = run(NETWORK, *(entry(RuleNumber=number) for number in range(1, 40)))
    assert refusal(full, entry(RuleNumber=99)) == "NetworkAclEntryLimitExceeded"


def test_deleting_a_group_assumes_that_nothing_else_uses_it() -> None:
    """The snapshot holds only the network interfaces of endpoints."""
    applied = apply_edits(NETWORK, [parse_request("DeleteSecurityGroup", {"GroupId": "sg-unused"})])
    assert "sg-unused" not in applied.snapshot.security_groups
    assert "sg-unused" in applied.assumptions[0]


def test_rule_of_a_peered_group_is_found_by_its_id() -> None:
    """EC2 compares the id of a group only."""
    network: Snapshot = replace(
        NETWORK,
        security_groups={**NETWORK.security_groups, "sg-p": group("p", admits("sg-clients"))},
    )
    revoke = rules(
        "RevokeSecurityGroupIngress", "sg-p", UserIdGroupPairs=[{"GroupId": "sg-clients"}]
    )
    assert run(network, revoke).security_groups["sg-p"].ingress == ()
