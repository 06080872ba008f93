"""The forms of `--actor`: the same person, role or account by every name that people use."""

from dataclasses import replace

import pytest

from finding_builders import at, opened, verdict
from posture.model.change import Actor
from posture.model.finding import Attribution, Cause
from posture.model.waiver import Waiver
from posture_cli.audit.actors import ActorFilter, ActorRole

SESSION = "arn:aws:sts::111122223333:assumed-role/Deploy/alice@example.com"
USER = "arn:aws:iam::111122223333:user/team/alice"
THROUGH = str(Actor(SESSION, "111122223333", "AssumedRole", "cloudformation.amazonaws.com"))


@pytest.mark.parametrize(
    ("text", "actor", "identity"),
    [
        (SESSION, SESSION, ""),
        (SESSION, THROUGH, ""),
        ("arn:aws:sts::111122223333:assumed-role/Deploy", SESSION, ""),
        ("arn:aws:iam::111122223333:role/Deploy", SESSION, ""),
        ("arn:aws:iam::111122223333:role/service/Deploy", SESSION, ""),
        ("Deploy", SESSION, ""),
        ("deploy", SESSION, ""),
        ("Deploy/alice@example.com", SESSION, ""),
        ("alice@example.com", SESSION, ""),
        ("111122223333", SESSION, ""),
        ("alice", USER, ""),
        (USER, USER, ""),
        ("root", "arn:aws:iam::111122223333:root", ""),
        ("cloudformation.amazonaws.com", THROUGH, ""),
        ("autoscaling.amazonaws.com", "autoscaling.amazonaws.com", ""),
        ("carol", SESSION, "source identity carol, account 444455556666"),
        ("444455556666", SESSION, "source identity carol, account 444455556666"),
        ("i-0abc", "AROAEXAMPLE:i-0abc", ""),
        ("bob", "arn:aws-cn:sts::111122223333:federated-user/bob", ""),
    ],
)
def test_a_form_means_an_actor(text: str, actor: str, identity: str) -> None:
    """By ARN, name, account or service."""
    assert ActorFilter.parse(text).matches_actor(actor, identity)


@pytest.mark.parametrize(
    "text",
    [
        "ali",
        "Deploy/alice",
        "arn:aws:iam::111122223333:user/alice@example.com",
        "arn:aws:iam::444455556666:role/Deploy",
        "arn:aws:iam::111122223333:role/deploy",
        "444455556666",
        "sts.amazonaws.com",
        "example.com",
    ],
)
def test_a_form_means_nobody_else(text: str) -> None:
    """No part of a name, no other account; an ARN is exact."""
    assert not ActorFilter.parse(text).matches_actor(THROUGH)


@pytest.mark.parametrize(
    "text",
    ["", "arn:aws:iam::1:user/alice", "arn:aws:ec2:x", "alice smith", "a//b", "*", "a" * 200],
)
def test_what_no_actor_can_be_is_refused(text: str) -> None:
    """With the forms that are expected."""
    with pytest.raises(ValueError, match="is not an ARN, the name of a role"):
        ActorFilter.parse(text)


def test_only_one_caller_is_looked_up_by_its_whole_name() -> None:
    """A role, an account or a name may stand for several."""
    for text in (SESSION, USER):
        assert ActorFilter.parse(text).caller == text
    for text in (
        "Deploy",
        "111122223333",
        SESSION.rpartition("/")[0],
        "arn:aws:iam::111122223333:role/D",
    ):
        assert ActorFilter.parse(text).caller is None


def test_roles_of_an_actor_in_a_finding() -> None:
    """The opener, the resolver and the one of the latest change are told apart."""

    def by(name: str) -> Attribution:
        actor = f"arn:aws:iam::111122223333:user/{name}"
        return Attribution(candidates=(Cause("e-1", "DeleteRoute", actor, at(0)),))

    (step,) = opened(verdict())
    finding = replace(step.finding, opened_by=by("a"), resolved_by=by("b"), caused_by=by("c"))
    expected = {"a": ActorRole.OPENER, "b": ActorRole.RESOLVER, "c": ActorRole.CHANGER}
    for name, role in expected.items():
        chosen = ActorFilter.parse(name)
        assert {it for it in ActorRole if chosen.matches_finding(finding, it)} == {
            role,
            ActorRole.ANY,
        }


@pytest.mark.parametrize(("name", "concerned"), [*((it, True) for it in "abc"), ("d", False)])
def test_a_waiver_is_of_each_person_that_decided_about_it(name: str, *, concerned: bool) -> None:
    """Who requested, who approved and who revoked it."""
    by = {it: f"arn:aws:iam::111122223333:user/{it}" for it in "abc"}
    waiver = Waiver(
        id="w-1",
        rule="route-missing",
        resource="*",
        scope="*",
        reason="a test",
        ticket="SEC-1",
        requested_by=by["a"],
        requested_at=at(0),
        expires_at=at(60),
        approved_by=by["b"],
        revoked_by=by["c"],
    )
    assert ActorFilter.parse(name).matches_waiver(waiver) is concerned
