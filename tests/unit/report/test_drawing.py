"""How a VPC is drawn: what is private in green, what is broken in red."""

from posture.analysis.paths import PathKind
from posture_cli.report.drawing import PATHS, draw
from report_material import matrix


def tones() -> dict[str, str]:
    """Give the tone of each box by its title."""
    return {box.title: box.tone for box in draw(matrix(hostile=False)).boxes}


def test_ways_have_their_colour() -> None:
    """Endpoints that are reached are good; NAT gateways and blackholes are not."""
    found = tones()
    assert {found["vpce-0dynamodb"], found["vpce-0s3"], found["vpce-0kms"]} == {"good"}
    assert {found["nat-0a"], found["pcx-0a"], found["vpce-0sqs"]} == {"bad"}


def test_subnets_that_fare_alike_share_a_box() -> None:
    """And it names them."""
    assert "payments-private-b, payments-private-c" in tones()


def test_every_way_out_is_red() -> None:
    """As the analysis names them."""
    out = {kind for kind in PathKind if "internet" in kind.value or "nat" in kind.value.split()}
    assert {PATHS.get(kind) for kind in out} == {"bad"}
