"""`posture snapshot`: saves what the observer reads, so that other commands work without AWS."""

from pathlib import Path
from typing import Annotated

from posture.model.network import Facet
from posture_cli import options
from posture_cli.command import CommandGroup
from posture_cli.console import open_stderr, print_note
from posture_cli.live import record_regions
from posture_cli.options import argument
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
    with open_stderr().status("reading VPCs"):
        regions = record_regions(region or (), vpc or ())
    file.write_text(dump_snapshot(regions), encoding="utf-8")
    for each in regions:
        for missing in each.missing:
            print_note(f"{each.region}: not saved: {missing.operation}: {missing.reason}")
        number = len(each.rows.get(Facet.VPC, ()))
        print_note(f"{each.region}: saved {number} VPC{'s' if number != 1 else ''} to {file}")
