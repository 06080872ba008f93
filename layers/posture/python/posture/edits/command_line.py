"""Parses AWS CLI commands to edits.

https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any, cast

from posture.edits.created import CREATED
from posture.edits.edit import Edit
from posture.edits.format import format_command, format_sequence, name_operation
from posture.edits.operations import EC2, SERVICE_NAMES, SHARED_OPERATIONS
from posture.edits.options import (
    FileReader,
    list_options,
    parse_json,
    read_text,
    read_values,
)
from posture.edits.requests import (
    OPERATIONS,
    WITHOUT_EFFECT,
    find_kind,
    name_member,
    parse_request,
)
from posture.edits.shell import ShellCall, Word, split_calls
from posture.edits.single_rule import GROUP_RULES, RULE_OPTIONS, build_permission
from posture.errors import MalformedRequestError

__all__ = ["format_command", "format_sequence", "parse_command"]

# The operation of each command, by its service and name.
COMMANDS: Mapping[tuple[str, str], str] = {
    **{(EC2, name_operation(each)): each for each in OPERATIONS},
    **{(service, name_operation(each)): each for each, service in SHARED_OPERATIONS.items()},
}

# https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html
GLOBAL = frozenset(
    {
        "ca-bundle",
        "cli-binary-format",
        "cli-connect-timeout",
        "cli-error-format",
        "cli-read-timeout",
        "color",
        "endpoint-url",
        "output",
        "profile",
        "query",
        "region",
    }
)
GLOBAL_FLAGS = frozenset(
    {
        "cli-auto-prompt",
        "debug",
        "no-cli-auto-prompt",
        "no-cli-pager",
        "no-paginate",
        "no-sign-request",
        "no-verify-ssl",
        "v2-debug",
    }
)
OTHER = {name_operation(each): each for each in WITHOUT_EFFECT}
SKELETON = "generate-cli-skeleton"
INPUT = "cli-input-json"

# https://docs.aws.amazon.com/cli/latest/reference/ec2/create-network-acl-entry.html
ACL_PROTOCOLS = {"tcp": "6", "udp": "17", "icmp": "1", "all": "-1"}


def parse_command(
    text: str, *, region: str = "", read_file: FileReader | None = None
) -> tuple[Edit, ...]:
    """Parse the AWS CLI calls of a command, joined by `&&`, `;` or line ends.

    Args:
        text: The command as a person types it in a shell, such as `aws ec2 delete-route …`.
        region: The Region of the network, which another `--region` contradicts; "" for any.
        read_file: Reads the files that `file://` names; without it, they are errors.

    Raises:
        MalformedRequestError: A call is not understood; the message names its position, the
            operation or option, and what was expected.
    """
    calls = split_calls(text)
    if not calls:
        raise MalformedRequestError("expected a command such as aws ec2 delete-route …")
    parser = _Parser(region, read_file)
    return tuple(parser.parse(call) for call in calls)


@dataclass
class _Parser:
    region: str
    read_file: FileReader | None
    variables: dict[str, str] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)

    def parse(self, call: ShellCall) -> Edit:
        words = [(word, word.fill(self.variables)) for word in call.words]
        first, name = words[0]
        if name != "aws":
            raise MalformedRequestError(
                f"{first.place}: {name}: expected an AWS CLI command, such as aws ec2 delete-route"
            )
        options = _Options(words[1:])
        place, operation = options.find_operation()
        try:
            edit = self._build(COMMANDS[operation], options)
        except MalformedRequestError as error:
            raise MalformedRequestError(f"{place.place}: {operation[1]}: {error}") from None
        self._keep_output(call, edit, options, place)
        return edit

    def _build(self, operation: str, options: _Options) -> Edit:
        kind = cast("type[Edit]", find_kind(operation))
        params: dict[str, Any] = {}
        flat: dict[str, Any] = {}  # the options of a single rule of a security group
        for name, values in options.items():
            try:
                full = _complete(kind, name)
                if not self._is_global(full, values):
                    self._read_option(kind, full, values, params, flat)
            except MalformedRequestError as error:
                raise MalformedRequestError(f"--{name}: {error}") from None
        if flat and "IpPermissions" in params:
            name = next(iter(flat))
            raise MalformedRequestError(
                f"--{name}: expected no such option beside --ip-permissions"
            )
        if flat:
            params["IpPermissions"] = [build_permission(flat)]
        try:
            return parse_request(kind.__name__, params)
        except MalformedRequestError as error:
            raise MalformedRequestError(_name_option(kind, str(error))) from None

    def _read_option(
        self,
        kind: type[Edit],
        name: str,
        values: Sequence[str],
        params: dict[str, Any],
        flat: dict[str, Any],
    ) -> None:
        """Read one option to the parameters, or to the options of a single rule."""
        texts = [read_text(each, self.read_file) for each in values]
        known = list_options(kind)
        if name == INPUT:  # what an option states wins
            params |= _read_input(texts) | params
        elif name in known or _is_negation(name, known):
            params |= _read_parameter(kind, name, texts)
        elif name in OTHER:
            params[OTHER[name]] = True if name == "dry-run" else texts
        elif kind in GROUP_RULES and name in RULE_OPTIONS:
            flat[name] = read_values(RULE_OPTIONS[name], texts)
        else:
            raise MalformedRequestError(_expect_option(kind, name))

    def _is_global(self, name: str, values: Sequence[str]) -> bool:
        """Return whether an option is one of every operation, which changes nothing here."""
        if name == SKELETON:
            raise MalformedRequestError("expected a call that changes a network")
        if name in GLOBAL_FLAGS and values:
            raise MalformedRequestError(f"expected no value, not {' '.join(values)!r}")
        if name not in GLOBAL | GLOBAL_FLAGS:
            return False
        if name in GLOBAL and len(values) != 1:
            raise MalformedRequestError(f"expected one value, not {len(values)}")
        if name == "region" and self.region and values[0] != self.region:
            raise MalformedRequestError(f"expected {self.region}, not {values[0]}")
        return True

    def _keep_output(self, call: ShellCall, edit: Edit, options: _Options, place: Word) -> None:
        """Set the variable that takes the id of what a call creates."""
        what = CREATED.get(type(edit))
        if what:
            self.created[what.prefix] = self.created.get(what.prefix, 0) + 1
        if not call.variable:
            return
        given = {name: values[0] for name, values in options.items() if name in GLOBAL}
        if what is None or (given.get("query"), given.get("output")) != (what.query, "text"):
            expected = (
                f"--query {what.query} --output text"
                if what
                else "an operation that creates a resource"
            )
            raise MalformedRequestError(
                f"{place.place}: {name_operation(type(edit))}: expected {expected}, as "
                f"{call.variable} takes its output"
            )
        self.variables[call.variable] = f"{what.prefix}-new-{self.created[what.prefix]}"


class _Options:
    """The words of a call after `aws`: options with their values, and the operation."""

    def __init__(self, words: Sequence[tuple[Word, str]]) -> None:
        self._found: dict[str, list[str]] = {}
        self._names: list[tuple[Word, str]] = []
        name = ""
        complete = True  # the last option takes no further values
        for word, text in words:
            if text.startswith("--") and len(text) > len("--"):
                name, equals, value = text.removeprefix("--").partition("=")
                self._found[name] = [value] if equals else []
                complete = bool(equals) or name in GLOBAL_FLAGS
            elif len(self._names) < len(("ec2", "operation")) and (
                not name or complete or (name in GLOBAL and self._found[name])
            ):
                self._names.append((word, text))
            elif not name or complete:
                raise MalformedRequestError(f"{word.place}: {text}: expected an option such as --…")
            else:
                self._found[name].append(text)

    def items(self) -> Iterable[tuple[str, list[str]]]:
        """Return the options by name, without the dashes."""
        return self._found.items()

    def find_operation(self) -> tuple[Word, tuple[str, str]]:
        """Return the service and operation, and where they are."""
        names = self._names
        service = names[0][1] if names else ""
        operation = names[1][1] if len(names) > 1 else ""
        if (service, operation) in COMMANDS:
            return names[1][0], (service, operation)
        if service not in SERVICE_NAMES:
            at = f"{names[0][0].place}: {service}: " if names else ""
            expected = f"{', '.join(SERVICE_NAMES[:-1])} or {SERVICE_NAMES[-1]}"
            raise MalformedRequestError(f"{at}expected {expected} after aws")
        known = [name for each, name in COMMANDS if each == service]
        if len(names) == 1:
            raise MalformedRequestError(
                f"{names[0][0].place}: expected an operation after {service}, such as "
                f"{'delete-route' if service == 'ec2' else known[0]}"
            )
        near = get_close_matches(operation, known, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]}?" if near else f"For example {known[0]}."
        raise MalformedRequestError(
            f"{names[1][0].place}: {operation}: expected an operation that changes the network of "
            f"a VPC or its endpoints. {hint}"
        )


def _complete(kind: Any, name: str) -> str:
    """Return the option that begins with a name, if only one does, as the AWS CLI does."""
    names = _list_names(kind)
    if name in names:
        return name
    found = [each for each in names if each.startswith(name)]
    return found[0] if len(found) == 1 else name


@cache
def _list_names(kind: type[Edit]) -> frozenset[str]:
    """List the names of the options of an operation, those that change nothing here included."""
    rules = RULE_OPTIONS if kind in GROUP_RULES else ()
    return frozenset({*list_options(kind), *rules, *OTHER, *GLOBAL, *GLOBAL_FLAGS, INPUT})


def _is_negation(name: str, known: Mapping[str, Any]) -> bool:
    return (name == "ingress" and "egress" in known) or (
        name != "no-egress" and known.get(name.removeprefix("no-")) is bool and name not in known
    )


def _read_parameter(kind: type[Edit], name: str, values: Sequence[str]) -> dict[str, Any]:
    """Return the parameter that an option sets."""
    known = list_options(kind)
    if name == "ingress":  # the AWS CLI's name of --no-egress
        name = "no-egress"
    if name not in known:
        if values:
            raise MalformedRequestError(f"expected no value, not {' '.join(values)!r}")
        name = name.removeprefix("no-")
        value: Any = False
    else:
        value = read_values(known[name], values)
    if name == "protocol":
        value = ACL_PROTOCOLS.get(value, value)
    member = _get_member(kind, name)
    return {name_member(member): {"Value": value} if "member" in member.metadata else value}


def _get_member(kind: type[Edit], option: str) -> Field[Any]:
    """Return the field of an edit that an option sets."""
    members: Mapping[str, Field[Any]] = cast("Any", kind).__dataclass_fields__
    return members[option.replace("-", "_")]


def _expect_option(kind: type[Edit], name: str) -> str:
    known = [*list_options(kind), *(RULE_OPTIONS if kind in GROUP_RULES else ())]
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f". Did you mean --{near[0]}?" if near else ""
    return f"expected one of {', '.join(f'--{each}' for each in known)}{hint}"


def _read_input(texts: Sequence[str]) -> dict[str, Any]:
    value = parse_json(texts[0]) if len(texts) == 1 else None
    if not isinstance(value, dict):
        raise MalformedRequestError("expected the parameters as one JSON object")
    return value


def _name_option(kind: type[Edit], message: str) -> str:
    """Name the option instead of the parameter at the beginning of a message."""
    rest = message.removeprefix(f"{kind.__name__}: ")
    for option in list_options(kind):
        parameter = name_member(_get_member(kind, option))
        if re.match(rf"{parameter}\b", rest):
            return f"--{option}{rest.removeprefix(parameter)}"
    return rest
