"""Builds what the page shows of each VPC's paths: a row in a list, and the table and drawing. Pure.

The table and the drawing are rendered to HTML, in which Jinja has escaped every name, and packed;
the page unpacks them when the VPC is opened.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posture.analysis.matrix import list_row_answers
from posture.model.instant import format_iso
from posture.model.scope import Scope
from posture_cli.audit.open_tables import VpcMatrix
from posture_cli.hubs.relations import Relation, find_uses
from posture_cli.report.drawing import draw_vpc
from posture_cli.report.hops import list_chains
from posture_cli.report.outcome_colours import WORST, find_outcome_colour
from posture_cli.report.pack import pack
from posture_cli.report.templates import TEMPLATES

DRAWN = 40  # services of the largest matrix that is drawn; a larger one is only a table


@dataclass(frozen=True, slots=True)
class VpcPaths:
    """The paths of a VPC.

    Attributes:
        scope: The VPC.
        name: Its name; "" if it has none.
        observed_at: When its paths were observed.
        counts: The number of paths by colour.
        packed: Its table and drawing.
        uses: What it uses of central endpoints.
    """

    scope: Scope
    name: str
    observed_at: str
    counts: Mapping[str, int]
    packed: str
    uses: Sequence[Relation] = ()

    def build_row(self) -> list[Any]:
        """Build its row in the list of the page."""
        scope = self.scope
        where = scope.subject, self.name, scope.account, scope.region, self.observed_at
        return [*where, [self.counts.get(colour, 0) for colour in WORST]]

    @property
    def sort_key(self) -> tuple[Any, ...]:
        """Sort the VPCs with the most bad paths first."""
        return *(-self.counts.get(colour, 0) for colour in WORST[:-1]), self.scope


def build_vpc_paths(matrix: VpcMatrix, name: str) -> VpcPaths:
    """Build what the page shows of a recorded matrix."""
    record = matrix.record
    rows = [
        (subnet, [(find_outcome_colour(it), it) for it in list_row_answers(record, subnet["id"])])
        for subnet in record["subnets"]
    ]
    drawable = bool(record["subnets"]) and len(record["services"]) <= DRAWN
    html = TEMPLATES.get_template("vpc.html.j2").render(
        subject=matrix.scope.subject,
        services=[str(each["short"]) for each in record["services"]],
        rows=rows,
        drawing=draw_vpc(record) if drawable else None,
        chains=list_chains(record),
    )
    return VpcPaths(
        scope=matrix.scope,
        name=name,
        observed_at=format_iso(matrix.observed_at),
        counts=Counter(colour for _, row in rows for colour, _ in row),
        packed=pack(html),
        uses=tuple(find_uses(matrix)),
    )


def find_private_share(counts: Mapping[str, int]) -> int | None:
    """Return the percentage of paths that use an endpoint; None if there are no paths.

    A subnet without a route to a service has no path to it, which is neither private nor not. An
    unknown path is not private.
    """
    paths = sum(counts.values()) - counts.get("idle", 0)
    return counts.get("good", 0) * 100 // paths if paths else None
