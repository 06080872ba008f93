"""`posture snapshot`: saves what the observer reads, so that other commands work without AWS."""

from collections import Counter
from pathlib import Path
from typing import Annotated

from posture_cli import options
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.live import (
    UnreadableServices,
    collect_endpoint_services,
    collect_vpcs,
    open_observers,
)
from posture_cli.options import argument
from posture_cli.recorded.recorder import Recorder
from posture_cli.recorded.snapshot_file import dump_snapshot

app = CommandGroup("Save the network to a file, which other commands read with --from.")


@app.callback()
def _group() -> None:
    """Save the network to a file, which other commands read with --from."""


@app.add(
    "posture snapshot save network.json --region eu-west-1",
    "posture snapshot save network.json --vpc vpc-0123456789abcdef0",
    "posture scan --from network.json",
)
def save(
    file: Annotated[Path, argument("FILE", "The file to write.")],
    *,
    region: options.RegionsOption = None,
    vpc: options.VpcsOption = None,
) -> None:
    """Save your VPCs and endpoint services as they are now to a file.

    The file holds the answers of EC2 as JSON: ids, addresses, routes, rules, policies, tags and
    descriptions. It holds no credentials. scan, coverage, explain and what-if read it with --from,
    without credentials or network. What cannot be read is in the file as missing, and stays
    unknown.

    Exit code: 0, or 2 on error.
    """
    observers = open_observers(options.SourceOptions(region=region))
    recorded = [(each, each.now(), Recorder(each.ec2)) for each in observers]
    saved: Counter[str] = Counter()
    with open_stderr().status("reading VPCs") as progress:
        for snapshot in collect_vpcs(observers, vpc or ()):
            progress.update(f"read {snapshot.scope}")
            saved["VPC"] += 1
        for service in collect_endpoint_services(observers):
            if isinstance(service, UnreadableServices):
                print_note(f"endpoint services of {service.region.name}: {service.reason}")
            else:
                saved["endpoint service"] += 1
    regions = [recorder.build_region(it.region, at) for it, at, recorder in recorded]
    file.write_text(dump_snapshot(regions), encoding="utf-8")
    for each in regions:
        for missing in each.missing:
            print_note(f"{each.region}: {missing.operation}: {missing.reason}")
    counts = [f"{number} {what}{'s' if number > 1 else ''}" for what, number in saved.items()]
    print_note(f"saved {' and '.join(counts) or 'no VPC'} to {file}")
