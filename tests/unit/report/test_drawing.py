"""How a VPC is drawn: what is private in green, what is broken in red."""

from itertools import pairwise

from posture.analysis.path import PathKind
from posture_cli.report.drawing import Box, draw_vpc
from posture_cli.report.labels import measure_width
from posture_cli.report.outcome_colours import PATH_COLOURS
from report_material import matrix


def tones() -> dict[str, str]:
    """Return the tone of each box by its first line."""
    return {box.lines[0]: box.colour for box in draw_vpc(matrix(hostile=False)).boxes}


def test_ways_have_their_colour() -> None:
    """Endpoints that are reached are good; NAT gateways and blackholes are not."""
    found = tones()
    assert {found["vpce-0dynamodb"], found["vpce-0s3"], found["vpce-0kms"]} == {"good"}
    assert {found["nat-0a"], found["pcx-0a"], found["vpce-0sqs"]} == {"bad"}


def box_of(*names: str) -> Box:
    """Draw subnets of these names that fare alike, and give their box."""
    record = matrix(hostile=False)
    (like, *_) = record["subnets"]
    record["subnets"] = [{**like, "name": name} for name in names]
    return draw_vpc(record).boxes[0]


def test_subnets_that_fare_alike_share_a_box() -> None:
    """And it names them, a line each."""
    boxes = draw_vpc(matrix(hostile=False)).boxes
    assert ("payments-private-b", "payments-private-c") in {box.lines for box in boxes}


def test_a_box_grows_with_its_lines_and_overlaps_no_other() -> None:
    """Each line has its room."""
    one, three = box_of("a"), box_of("a", "b", "c")
    assert three.height - one.height == 32
    boxes = sorted(draw_vpc(matrix(hostile=False)).boxes, key=lambda it: (it.x, it.y))
    for above, below in pairwise(boxes):
        assert above.x < below.x or above.y + above.height < below.y


def test_more_subnets_than_lines_are_counted() -> None:
    """The tooltip of the box names all of them."""
    found = box_of(*"abcde")
    assert found.lines == ("a", "b", "and 3 more")
    assert found.title.startswith("a, b, c, d, e (eu-west-1")


def test_a_long_name_keeps_its_ends() -> None:
    """Names of one VPC differ there."""
    name = "payments-production-eu-west-1-private-workload"
    (first, second) = box_of(f"{name}-a", f"{name}-b").lines
    assert first != second
    assert first.startswith("payments-")
    assert first.endswith("workload-a")
    assert measure_width(first) < measure_width(name)


def test_every_way_out_is_red() -> None:
    """As the analysis names them."""
    out = {kind for kind in PathKind if "internet" in kind.value or "nat" in kind.value.split()}
    assert {PATH_COLOURS.get(kind) for kind in out} == {"bad"}
