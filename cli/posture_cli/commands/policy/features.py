"""`posture policy features`: the features of AWS that --needs can name."""

from collections.abc import Iterator
from typing import Any

from posture.policy.features.table import Use, expand_features, read_features
from posture_cli import options
from posture_cli.command import CommandGroup
from posture_cli.options import Output
from posture_cli.render.records import write_records

COLUMNS = ("name", "title", "endpoints", "includes", "required_by")


def register(app: CommandGroup) -> None:
    """Add the command to its group."""
    app.add("posture policy features", "posture policy features -o json")(features)


def features(*, output: options.OutputOption = Output.TABLE) -> None:
    """List the features of AWS that --needs, and aws_owned_resources in a baseline, can name.

    Each needs that the policies of some endpoints let its requests through. JSON has the requests:
    who signs them, for which resource, and the page of AWS that says so.

    Exit code: 0, or 2 on error.
    """
    write_records(_list_records(), COLUMNS, output)


def _list_records() -> Iterator[dict[str, Any]]:
    known = read_features()
    for name in sorted(known):
        included = [known[each] for each in expand_features((name,))]
        requests = [each for feature in included for each in feature.requests]
        used = {each.endpoint for each in requests if each.use is not Use.RARELY}
        yield {
            "name": name,
            "title": known[name].title,
            "endpoints": ", ".join(sorted(used)),
            "includes": ", ".join(known[name].includes),
            "required_by": ", ".join(known[name].required_by),
            "requests": [
                {
                    "endpoint": each.endpoint,
                    "purpose": each.purpose,
                    "use": each.use.value,
                    "signers": [signer.value for signer in each.signers],
                    "actions": list(each.actions),
                    "resource": each.resource,
                    "owned_by_aws": each.owned_by_aws,
                    "sources": list(each.sources),
                }
                for each in known[name].requests
            ],
        }
