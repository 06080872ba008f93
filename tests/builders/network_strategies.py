"""Strategies for arbitrary VPCs, with missing, broken and contradictory parts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from network_builders import (
    CUSTOM,
    DYNAMODB,
    KMS,
    NOW,
    OWN_ONLY,
    S3,
    acl,
    admits,
    allow,
    build_snapshot,
    deny,
    eni,
    gateway,
    group,
    interface,
    nat,
    prefix_list,
    route,
    subnet,
    table,
)
from posture.model.network import EndpointType, Facet, RouteOrigin, Snapshot

NAMES = "abc"
BLOCKS = ("0.0.0.0/0", "::/0", "10.0.0.0/16", "10.0.2.0/24", "52.218.0.0/18", "pl-s3", "pl-own",
          "pl-secret", "10.9.0.0/16")  # fmt: skip
TARGETS = ("igw-1", "eigw-1", "nat-1", "nat-9", "tgw-1", "vgw-1", "pcx-1", "eni-9", "vpce-s3",
           "vpce-gwlb", "vpce-gone", "lgw-1", "core-1", "odb-1", "cagw-1", "mystery")  # fmt: skip
PEERS = ("0.0.0.0/0", "::/0", "10.0.0.0/16", "10.0.1.0/25", "pl-own", "pl-secret", "sg-clients")
MADE = (NOW - timedelta(minutes=14), NOW - timedelta(minutes=2), None)
LATER = f"{NOW + timedelta(minutes=9):%FT%TZ}"
UNTIL_LATER = (
    '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",'
    f' "Condition": {{"DateLessThan": {{"aws:CurrentTime": "{LATER}"}}}}}}}}'
)
STATES = ("available", "pending", "failed", "deleted", "pendingacceptance", "")


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Generate a VPC with parts of every kind, many of them missing or broken."""
    parts: list[Any] = [prefix_list("pl-own", "10.9.0.0/24"), group("endpoints", *_rules(draw))]
    for number, name in enumerate(NAMES[: draw(st.integers(0, 3))]):
        six = f"2001:db8:0:{number}::/64" if draw(st.booleans()) else None
        made = subnet(name, draw(st.sampled_from("abc")), f"10.0.{number}.0/24", ipv6=six)
        parts.append(replace(made, cidr=None) if six and draw(st.booleans()) else made)
    parts.append(table("main", *_routes(draw), main=draw(st.integers(0, 5)) > 0))
    parts.append(table("own", *_routes(draw), subnets=["a"]))
    parts += [nat("1", draw(st.sampled_from(["a", "z", None])), public=draw(st.booleans()))]
    parts.append(acl("all", *_entries(draw), subnets=draw(st.sampled_from(["abc", "a", ""]))))
    parts += [eni("1", "a", "10.0.0.9"), eni("2", "b", "10.0.1.9", "2001:db8:0:1::9")]
    parts += [endpoint for endpoint in _endpoints() if draw(st.booleans())]
    parts = [_varied(draw, each) for each in parts]
    denied = draw(st.lists(st.sampled_from(list(Facet)), max_size=2, unique=True))
    return build_snapshot(*parts, unreadable=dict.fromkeys(denied, "denied"))


def _routes(draw: st.DrawFn) -> list[Any]:
    made = st.builds(
        route,
        st.sampled_from(BLOCKS),
        st.sampled_from(TARGETS),
        blackhole=st.integers(0, 4).map(lambda number: number == 0),
        origin=st.sampled_from([RouteOrigin.STATIC, RouteOrigin.PROPAGATED]),
    )
    return draw(st.lists(made, max_size=5))


def _rules(draw: st.DrawFn) -> list[Any]:
    return draw(st.lists(st.builds(admits, st.sampled_from(PEERS)), max_size=3))


def _entries(draw: st.DrawFn) -> list[Any]:
    made = st.builds(
        lambda make, number, cidr, egress: make(number, cidr, egress=egress),
        st.sampled_from([allow, allow, deny]),
        st.integers(1, 99),
        st.sampled_from(["0.0.0.0/0", "::/0", "10.0.1.0/24"]),
        st.booleans(),
    )
    return draw(st.lists(made, max_size=5))


def _endpoints() -> list[Any]:
    return [
        gateway("s3", S3, ["main"]),
        gateway("ddb", DYNAMODB, ["own"]),
        interface(
            "kms", KMS, network_interface_ids=("eni-1", "eni-2"), ip_address_type="dualstack"
        ),
        interface("kms2", KMS, private_dns=False, network_interface_ids=("eni-1",)),
        interface("i3", S3, network_interface_ids=("eni-2",)),
        interface("x", CUSTOM, private_dns=False, network_interface_ids=("eni-gone",)),
        interface("gwlb", CUSTOM, type=EndpointType.GATEWAY_LOAD_BALANCER),
        interface("res", CUSTOM, type=EndpointType.RESOURCE, security_group_ids=()),
    ]


def _varied(draw: st.DrawFn, part: Any) -> Any:
    """Vary the state, age and policy of an endpoint, with private DNS on, off or unknown."""
    if not hasattr(part, "service_name") or draw(st.booleans()):
        return part
    return replace(
        part,
        state=draw(st.sampled_from(STATES)),
        policy=draw(st.sampled_from([OWN_ONLY, UNTIL_LATER, None])),
        created_at=draw(st.sampled_from(MADE)),
        private_dns=draw(st.sampled_from([True, False, None])),
        private_dns_only_for_inbound_resolver=draw(st.sampled_from([True, None])),
    )
