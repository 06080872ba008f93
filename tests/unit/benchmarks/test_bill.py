"""The bill of the paper plan: each line from prices and quantities, and the page says the same."""

import pytest

from benchmark_modules import ROOT, benchmark

bill = benchmark("bill.py")
QUIET = bill.Plan(accounts=1, regions=1, events_a_second=0, sweeps_a_month=0)


def _dollars(plan: object) -> dict[str, float]:
    return {line.what: line.dollars for line in bill.lines(plan)}


def test_what_never_changes_is_paid_without_a_single_event() -> None:
    """A stack that sees nothing costs its endpoints, key, alarms and polling, and nothing else."""
    paid = {what: dollars for what, dollars in _dollars(QUIET).items() if dollars}

    assert paid == pytest.approx(
        {
            "interface endpoints": 3 * 2 * 730 * 0.01,
            "keys": 1.00,
            "alarms": 1.30,
            "polling": 2 * 5 * 730 * 3600 / 20 * 0.40 / 1e6,
        }
    )


def test_a_stack_takes_so_many_accounts_and_no_more() -> None:
    """One account more than fits makes one stack more, in every region."""
    assert bill.Plan(accounts=200, regions=3).stacks == 3
    assert bill.Plan(accounts=201, regions=3).stacks == 6


def test_events_are_paid_by_their_number() -> None:
    """Twice the events are twice the looks, and leave what is fixed as it is."""
    one, two = (bill.Plan(accounts=1, regions=1, events_a_second=rate) for rate in (1, 2))

    assert _dollars(two)["transitions"] == pytest.approx(2 * _dollars(one)["transitions"])
    assert _dollars(two)["traffic to EC2"] == pytest.approx(2 * _dollars(one)["traffic to EC2"])
    assert _dollars(two)["keys"] == _dollars(one)["keys"]


def test_a_queue_that_waits_makes_fewer_batches() -> None:
    """The first event of a batch opens its window; those that come within it share it."""
    plan = bill.Plan(accounts=1, regions=1, events_a_second=2)

    assert plan.batches(0) == plan.events
    assert plan.batches(5) == pytest.approx(plan.events / 11)


def test_less_memory_is_less_cpu() -> None:
    """A function of half a vCPU takes twice the time for its work, and as long for waiting."""
    assert bill.seconds_at(1769, 1.0, 3.0) == 4.0
    assert bill.seconds_at(1769 // 2, 1.0, 3.0) == pytest.approx(5.0, abs=0.01)
    assert bill.seconds_at(10_000, 1.0, 3.0) == 4.0


def test_daily_sweeps_cost_a_day_of_hourly_ones() -> None:
    """Lines of sweeps grow with the sweeps, by which the page's advice is reckoned."""
    hourly, daily = bill.Plan(), bill.Plan(sweeps_a_month=730 / 24)

    for what in ("sweep", "sweep's reads and writes", "sweep's traffic to EC2"):
        assert _dollars(hourly)[what] == pytest.approx(24 * _dollars(daily)[what])


def test_a_batch_folds_the_changes_of_a_vpc() -> None:
    """However many changes there are, a batch looks at no more VPCs than there are."""
    storm = bill.Hot(rate=1000, vpcs=3, batch=500)

    assert storm.evaluations() == pytest.approx(2 * 2 * 3)  # two batches a second, looked at twice
    assert storm.attribute_calls() == pytest.approx(2 * 2 * 2 * 3)


def test_changes_far_apart_are_each_looked_at_twice() -> None:
    """One change in a thousand seconds shares its batch with no other."""
    calm = bill.Hot(rate=0.001)

    assert calm.evaluations() == pytest.approx(0.002)


def test_the_page_shows_the_bill_that_is_reckoned(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/scale.md holds every line that the script prints."""
    bill.main()
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")

    missing = [line for line in capsys.readouterr().out.splitlines() if line not in page]

    assert missing == []
