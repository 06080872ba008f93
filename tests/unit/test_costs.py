"""The cost tables of the pages: each calculation gives its amount, the amounts give the sum."""

import re
from math import prod
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PRICE = re.compile(r"\$[\d.]+(?: per million)?")
CENT = 0.0051  # amounts are rounded to a cent, or to a dollar


def read_rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of the table below a header row, without the sum."""
    text = (DOCS / page).read_text(encoding="utf-8")
    table = text.partition(f"| {heading} |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return [row for row in rows if row[0] != "**sum**"]


def read_sum(page: str, heading: str) -> list[float]:
    """Return the bold amounts in the last row of a table."""
    text = (DOCS / page).read_text(encoding="utf-8")
    table = text.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [amount(each) for each in re.findall(r"\*\*([\d,]+)\*\*", table)]


def amount(text: str) -> float:
    """Parse a number with thousands separators."""
    return float(text.replace(",", ""))


def compute(calculation: str, column: int = 0) -> float:
    """Evaluate products joined by + and -; of `a / b / c` the column's value counts."""
    sign, total = 1, 0.0
    for part in re.split(r" ([+-]) ", calculation):
        if part in "+-":
            sign = 1 if part == "+" else -1
        else:
            total += sign * prod(factor(each, column) for each in part.split(" × "))
    return total


def factor(text: str, column: int) -> float:
    """Return the number that a factor begins with, in its unit."""
    numbers = re.findall(r"(?:^\$?|/ )([\d,.]+)", text)
    scale = 1e-6 if "per million" in text else 1e6 if " million" in text else 1.0
    return amount(numbers[column if len(numbers) > 1 else 0]) * scale


def test_calculations_understand_products_sums_and_millions() -> None:
    """A calculation is read as a person reads it."""
    assert compute("2 zones × 730 hours × $0.01") == pytest.approx(14.6)
    assert compute("1.5 million events × $2.00 per million + 3 keys × $1.00") == pytest.approx(6)
    assert compute("10,000 - 4 × 1,000 for sweeps") == pytest.approx(6000)
    assert [compute("1 / 2 / 30 GB × $0.50", at) for at in range(3)] == [0.5, 1, 15]


@pytest.mark.parametrize(
    ("page", "heading", "columns", "rounding"),
    [
        ("operations.md", "item | calculation | small | medium | large", 3, CENT),
        ("scale.md", "item | calculation | dollars a month", 1, 0.51),
    ],
)
def test_every_amount_follows_from_its_calculation(
    page: str, heading: str, columns: int, rounding: float
) -> None:
    """Each row, each size of an installation, and the sum."""
    rows = read_rows(page, heading)
    assert len(rows) > 12
    for name, calculation, *amounts in rows:
        computed = [compute(calculation, at) for at in range(columns)]
        assert computed == pytest.approx([amount(each) for each in amounts], abs=rounding), name
    sums = [sum(compute(row[1], at) for row in rows) for at in range(columns)]
    assert sums == pytest.approx(read_sum(page, heading), abs=0.51)


def test_every_optional_feature_follows_from_its_calculation() -> None:
    """Of the features whose amounts are exact; the alarms are those of the template."""
    exact = [
        row
        for row in read_rows("operations.md", "item | if | calculation | more")
        if re.fullmatch(r"[\d.]+(, [\d.]+, [\d.]+)?", row[3])
    ]
    assert len(exact) >= 7
    for name, _, calculation, more in exact:
        amounts = [amount(each) for each in more.split(", ")]
        computed = [compute(calculation, at) for at in range(len(amounts))]
        assert computed == pytest.approx(amounts, abs=CENT), name


def test_variants_follow_from_the_sum_and_the_sweeps() -> None:
    """What a variant saves is computed from the lines that it changes."""
    rows = read_rows("scale.md", "variant | calculation | dollars a month | cents per account")
    assert len(rows) == 4
    for name, calculation, dollars, cents in rows:
        assert compute(calculation) == pytest.approx(amount(dollars), abs=0.51), name
        assert amount(dollars) / 5000 * 100 == pytest.approx(amount(cents), abs=0.51), name
    lines = read_rows("scale.md", "item | calculation | dollars a month")
    sweeps = sum(compute(row[1]) for row in lines if row[0].startswith("sweep"))
    assert sweeps == pytest.approx(2179, abs=0.51)


def test_every_price_is_in_the_table_of_prices() -> None:
    """A price in a calculation, with its unit, has its source and date."""
    listed = {row[1] for row in read_rows("operations.md", "price | dollars | per | source")}
    assert len(listed) > 10
    for page in ("operations.md", "scale.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert set(PRICE.findall(text)) <= listed, page


def test_a_busy_account_exhausts_dns_attributes_first() -> None:
    """A batch combines the changes of one of 100 VPCs; two queues wait 5 and 60 seconds."""
    heading = (
        "changes a second | evaluations a second | DescribeVpcAttribute a second"
        " | each other Describe a second"
    )
    rows = [[float(cell) for cell in row] for row in read_rows("scale.md", heading)]
    assert [row[0] for row in rows] == [1, 5, 10, 20, 50]
    for rate, *others in rows:
        batches = [max(rate / 500, min(rate, 1 / window)) for window in (5, 60)]
        evaluations = sum(each * 100 * (1 - 0.99 ** (rate / each)) for each in batches)
        second = batches[1] * 100 * (1 - 0.99 ** (rate / batches[1]))
        expected = [evaluations, 2 * second, sum(batches)]
        assert others == pytest.approx(expected, abs=0.051)


def test_quantities_follow_from_the_assumptions() -> None:
    """10 events a second, 20 stacks, two queues, sweeps of 100,000 accounts and regions."""
    events = 10 * 730 * 3600
    batches = sum(events / (1 + 10 / 20 * window) for window in (5, 60))
    seconds = [0.20 + 0.08 * 1769 / 1024, 0.54 + 0.078]  # waiting and CPU, at 1 and 2 GB
    page = (DOCS / "scale.md").read_text(encoding="utf-8")
    for text in (
        f"{events / 1e6:.2f} million events",
        f"{2 * events / 1e6:.2f} million evaluations × {seconds[0]:.3f} s",
        f"{batches / 1e6:.1f} million batches",
        f"{100_000 * 730 / 1e6:.0f} million account sweeps × {seconds[1]:.3f} s",
        f"{200_000 * 730 / 1e6:.0f} million VPCs",
        f"{events * 0.05 / 1e6:.3f} million transitions",
    ):
        assert text in page
