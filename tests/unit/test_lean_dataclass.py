"""Classes of `lean_dataclass` behave as those of the standard library, and compile less."""

import copy
import dataclasses
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import posture
from posture.lean_dataclass import dataclass as lean

Decorate = Callable[..., Any]


def declare(dataclass: Decorate) -> tuple[Any, Any]:
    """Declare a class and one derived from it."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        """A base."""

        name: str
        size: int | None = None

    @dataclass(frozen=True, slots=True)
    class Derived(Base):
        """Has fields of every kind."""

        first: int
        known: list[int] = dataclasses.field(default_factory=list, hash=False)
        text: str = dataclasses.field(default="", compare=False, repr=False)

    return Base, Derived


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((1,), {"name": "a"}),
        ((1, [2]), {"name": "a", "size": 3, "text": "t"}),
        ((), {"name": "a", "first": 1}),
    ],
)
def test_instances_are_those_of_the_standard_library(
    arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    """Values, texts, hashes, copies and patterns are the same."""
    (_, ours), (_, standard) = declare(lean), declare(dataclasses.dataclass)
    made, expected = ours(*arguments, **options), standard(*arguments, **options)
    assert dataclasses.asdict(made) == dataclasses.asdict(expected)
    assert repr(made) == repr(expected)
    assert hash(made) == hash(expected)
    assert copy.deepcopy(made) == made
    assert dataclasses.replace(made, first=9) == ours(**dataclasses.asdict(made) | {"first": 9})
    assert ours.__match_args__ == standard.__match_args__
    assert ours.__slots__ == standard.__slots__


def test_only_compared_fields_and_the_class_decide_equality() -> None:
    """As in the standard library."""
    base, derived = declare(lean)
    assert derived(1, name="a", text="t") == derived(1, name="a")
    assert derived(1, name="a") != derived(2, name="a")
    assert base(name="a") != derived(1, name="a")
    assert base(name="a") != "a"


def test_instances_are_frozen() -> None:
    """No field can be set or deleted."""
    base, _ = declare(lean)
    made = base(name="a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "b"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del made.name
    assert made.name == "a"


@pytest.mark.parametrize("arguments", [(), (1, 2, 3, 4)])
def test_wrong_arguments_are_named_like_those_of_the_standard_library(
    arguments: tuple[Any, ...],
) -> None:
    """The text names the class and what is missing."""
    texts = []
    for _, derived in (declare(lean), declare(dataclasses.dataclass)):
        with pytest.raises(TypeError) as raised:
            derived(*arguments)
        texts.append(str(raised.value))
    assert texts[0] == texts[1]


@lean(frozen=True)
class _Pickled:
    numbers: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return "its own"


def test_methods_of_the_class_itself_stay_and_it_can_be_pickled() -> None:
    """A class without slots has what the standard library gives it."""
    made = _Pickled((1, 2))
    assert repr(made) == "its own"
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own


def test_ordered_and_mutable_classes_are_those_of_the_standard_library() -> None:
    """Few classes are."""

    @lean(frozen=True, order=True)
    class Ordered:
        at: int

    @lean
    class Mutable:
        at: int = 0

    mutable = Mutable()
    mutable.at = 2
    assert Ordered(1) < Ordered(2)
    assert mutable == Mutable(2)


def test_methods_are_compiled_with_the_first_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that is imported only costs no compilation."""

    def refuse(*_: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr("builtins.exec", refuse)
    declare(lean)


def test_every_frozen_class_of_the_layer_is_one() -> None:
    """One that is not costs each cold start two thirds of a millisecond."""
    standard = re.compile(r"^from dataclasses import .*\bdataclass\b", re.MULTILINE)
    assert standard.search("from dataclasses import dataclass, field\n")
    for path in Path(posture.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not (standard.search(text) and "frozen=True" in text), path
