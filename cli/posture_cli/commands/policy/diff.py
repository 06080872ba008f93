"""`posture policy diff`: the requests that a change of a policy allows or denies."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from posture.policy import MalformedPolicyError, Policy, parse_policy
from posture.policy.compare import PolicyComparison, RequestChange, compare_policies
from posture.policy.descriptions import build_request_record, describe_request
from posture.policy.document import combine_policies
from posture_cli import exit_codes
from posture_cli.command import CommandGroup
from posture_cli.commands.policy.context import EndpointOptions
from posture_cli.commands.policy.document import read_policy
from posture_cli.console import print_note
from posture_cli.options import Output, argument, output_option
from posture_cli.render.records import write_json, write_records
from posture_cli.text import make_printable

COLUMNS = ("change", "callers", "resources", "actions", "by", "example")
MAX_ACTIONS = 3  # that a table names


def register(app: CommandGroup) -> None:
    """Add the command to its group."""
    app.add(
        "posture policy diff old.json new.json --service s3 --account 111122223333",
        "posture policy diff old.json new.json --service s3 --trusted-org o-a1b2c3d4e5 -o markdown",
        "git show HEAD:policy.json | posture policy diff - policy.json --service ecr.api",
    )(diff)


def diff(
    old: Annotated[str, argument("OLD", "The policy before; - for standard input.")],
    new: Annotated[str, argument("NEW", "The policy after; - for standard input.")],
    *,
    endpoint: EndpointOptions,
    output: Annotated[
        Output, output_option(Output.TABLE, Output.JSON, Output.MARKDOWN)
    ] = Output.TABLE,
) -> None:
    """Compare two endpoint policies: the requests that become allowed, or denied.

    The requests are compared, not the texts: a statement that another one covers makes no
    difference. Each row is a group of callers and resources with an example that one policy
    allows and the other denies, confirmed by an evaluation of both. If there is no row, there is no
    such request, or the answer is unknown and the reason is printed.

    Name the endpoint's --service, so that only requests that it carries count. Who is trusted
    decides how the requests are grouped, not which differ.

    Exit code: 0 when the same requests are allowed, 1 when a request differs, 2 on error, 3 when
    none is known to differ and something is unknown.
    """
    if old == new == "-":
        raise typer.BadParameter("standard input holds one policy: name a file for the other one")
    check = endpoint.build_check()
    before, after = read_policy(old), read_policy(new)
    both = combine_policies(_parse(old, before), _parse(new, after))
    found = compare_policies(before, after, check)
    if output is Output.JSON:
        write_json(build_comparison_record(found, both))
    elif found.changes:
        rows = (_build_row(each, both) for each in found.changes)
        write_records(rows, COLUMNS, output)
    for reason in found.unknown:
        print_note(f"unknown whether other requests differ: {make_printable(reason)}")
    if found.changes:
        raise typer.Exit(exit_codes.FINDINGS)
    if found.unknown:
        raise typer.Exit(exit_codes.UNDECIDED)
    print_note("both policies allow the same requests")


def _parse(file: str, text: str) -> Policy:
    try:
        return parse_policy(text)
    except MalformedPolicyError as error:
        raise MalformedPolicyError(f"{file}: {error}") from None


def build_comparison_record(found: PolicyComparison, both: Policy) -> dict[str, Any]:
    """Build one JSON document: the changes with all examples, and what is unknown."""
    return {
        "changes": [
            {
                **_build_row(each, both),
                "actions": [request.action for request in each.examples],
                "examples": [build_request_record(request, both) for request in each.examples],
            }
            for each in found.changes
        ],
        "unknown": list(found.unknown),
    }


def _build_row(change: RequestChange, both: Policy) -> dict[str, Any]:
    return {
        "change": "allowed" if change.becomes_allowed else "denied",
        "callers": change.callers.value,
        "resources": change.resources.value,
        "actions": ", ".join(_list_actions(change)),
        "by": ", ".join(dict.fromkeys(str(each) for each in change.statements if each)),
        "example": describe_request(change.examples[0], both),
    }


def _list_actions(change: RequestChange) -> Iterator[str]:
    actions = [each.action for each in change.examples]
    yield from actions[:MAX_ACTIONS]
    if len(actions) > MAX_ACTIONS:
        yield "…"
