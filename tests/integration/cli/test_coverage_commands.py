"""`posture coverage` and `posture explain`, on the network now and on stored matrices."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from command_runner import posture
from posture.analysis.coverage import Analysis
from posture.analysis.matrix import build_matrix_record
from posture.analysis.services import list_covered_services
from posture.model.scope import Scope
from posture.store.scope_evaluation import Evaluation
from posture.store.scope_store import Store
from posture_cli import live
from posture_cli.main import run
from posture_cli.options import SourceOptions
from sample_network import ACCOUNT, REGION, SampleNetwork, build_sample_network
from stack_tables import TABLES, create_tables

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[SampleNetwork]:
    """Return a small emulated region, and the monitor's tables."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    with mock_aws():
        create_tables(boto3.client("dynamodb"))
        yield build_sample_network(boto3.client("ec2"))


def fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    """Run the command as a process does, expect exit code 2, and return standard error."""
    monkeypatch.setattr("sys.argv", ["posture", *arguments])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    return capsys.readouterr().err


# --- coverage ------------------------------------------------------------------------------------


def test_the_matrix_is_drawn(network: SampleNetwork) -> None:
    """Subnets down, services across, what is not private below, and a legend."""
    result = posture("coverage", "--vpc", network.vpc)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"{network.vpc}  {ACCOUNT} {REGION}")
    (header,) = [line for line in lines if line.strip().startswith("SUBNET")]
    assert header.split() == ["SUBNET", "ZONE", "dynamodb", "s3", "sns"]
    (row,) = [line for line in lines if line.strip().startswith(network.subnet)]
    assert row.split()[2:] == ["no", "route", "endpoint", "endpoint"]
    assert any(f"dynamodb from {network.subnet}: no route" in line for line in lines)
    assert any("reaches an endpoint (2)" in line for line in lines)


def test_no_colour_in_a_pipe(network: SampleNetwork) -> None:
    """And none where NO_COLOR is set."""
    assert "\x1b" not in posture("coverage", "--vpc", network.vpc).stdout


def test_a_service_can_be_named(network: SampleNetwork) -> None:
    """It becomes a column of its own."""
    result = posture("coverage", "--vpc", network.vpc, "--service", "kms", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["service"]: row["outcome"] for row in rows} == {
        "dynamodb": "no route",
        "kms": "no route",
        "s3": "endpoint",
        "sns": "endpoint",
    }
    assert {(row["account"], row["vpc"], row["subnet"]) for row in rows} == {
        (ACCOUNT, network.vpc, network.subnet)
    }


def test_the_matrix_as_json(network: SampleNetwork) -> None:
    """Answers once, cells by number."""
    (found,) = json.loads(posture("coverage", "--vpc", network.vpc, "-o", "json").stdout)
    assert found["vpc"] == network.vpc
    short = [each["short"] for each in found["services"]]
    numbers = found["cells"][network.subnet]
    answer = found["answers"][numbers[short.index("s3")]]
    assert (answer["outcome"], answer["summary"]) == (
        "endpoint",
        f"all traffic is routed to {network.gateway}",
    )


def test_a_vpc_without_subnets_says_so(network: SampleNetwork) -> None:
    """It prints a line instead of a table."""
    assert "no subnets" in posture("coverage", "--vpc", network.bare).stdout


def stored(network: SampleNetwork) -> dict[str, Any]:
    """Store the matrix of the full VPC as the monitor does, and give it."""
    (snapshot,) = live.collect_vpcs(live.open_observers(SourceOptions()), [network.vpc])
    analysis = Analysis(snapshot)
    record = build_matrix_record(analysis.build_coverage(list_covered_services(snapshot)), analysis)
    Store(boto3.client("dynamodb"), TABLES).record(
        Evaluation(snapshot.scope, NOW, coverage=record), lambda _: ()
    )
    return record


def test_what_a_monitor_stored_is_drawn(network: SampleNetwork) -> None:
    """With the time of the observation; no VPC is read."""
    record = stored(network)
    calls = network.record_calls()
    result = posture("coverage", "--table", TABLES.findings, "-o", "json")
    (found,) = json.loads(result.stdout)
    assert found["observed_at"].startswith("2026-11-25T12:00:00")
    assert {name: found[name] for name in record} == json.loads(json.dumps(record))
    assert calls == []


def test_a_stored_matrix_has_the_monitors_columns(network: SampleNetwork) -> None:
    """Asking for other columns is an error."""
    stored(network)
    result = posture("coverage", "--table", TABLES.findings, "--service", "kms")
    assert result.exit_code == 2
    assert "set by its own baseline" in result.stderr


def test_a_vpc_that_the_monitor_never_saw(
    network: SampleNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an error, not an empty list."""
    text = fail(monkeypatch, capsys, "coverage", "--table", TABLES.findings, "--vpc", network.bare)
    assert f"the monitor has not observed {network.bare}" in text


def test_a_table_that_is_not_there(
    network: SampleNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named."""
    assert network.vpc
    text = fail(monkeypatch, capsys, "coverage", "--table", "nothing")
    assert "there is no table 'nothing'" in text


ABROAD = "us-east-1"


def stored_abroad(coverage: dict[str, Any] | None) -> Scope:
    """Store a matrix in another region's stack, and give whose it is."""
    abroad = boto3.client("dynamodb", region_name=ABROAD)
    create_tables(abroad)
    scope = Scope(ACCOUNT, ABROAD, "vpc-0abcdef0123456789")
    Store(abroad, TABLES).record(Evaluation(scope, NOW, coverage=coverage), lambda _: ())
    return scope


def test_the_stacks_of_several_regions_are_drawn_one_after_the_other(
    network: SampleNetwork,
) -> None:
    """Each VPC with its region, in every form; a region that is named twice counts once."""
    abroad = stored_abroad(stored(network))
    both = ("coverage", "--table", TABLES.findings, "-r", REGION, "-r", ABROAD, "-r", REGION)
    whole = json.loads(posture(*both, "-o", "json").stdout)
    assert [(it["region"], it["vpc"]) for it in whole] == [
        (REGION, network.vpc),
        (ABROAD, abroad.subject),
    ]
    rows = list(csv.DictReader(io.StringIO(posture(*both, "-o", "csv").stdout)))
    assert [row["region"] for row in rows] == [REGION] * 3 + [ABROAD] * 3
    headings = [line for line in posture(*both).stdout.splitlines() if ", observed " in line]
    assert [line.split(",")[0] for line in headings] == [
        f"{network.vpc}  {ACCOUNT} {REGION}",
        f"{abroad.subject}  {ACCOUNT} {ABROAD}",
    ]


def test_a_vpc_is_looked_for_in_every_named_region(network: SampleNetwork) -> None:
    """It need be known in one of them only."""
    abroad = stored_abroad(stored(network))
    both = ("coverage", "--table", TABLES.findings, "--region", REGION, "--region", ABROAD)
    (found,) = json.loads(posture(*both, "--vpc", abroad.subject, "-o", "json").stdout)
    assert (found["region"], found["vpc"]) == (ABROAD, abroad.subject)


def test_a_vpc_without_a_stored_matrix_is_reported(network: SampleNetwork) -> None:
    """It is named, not left out."""
    assert network.vpc
    abroad = stored_abroad(None)
    result = posture("coverage", "--table", TABLES.findings, "--region", ABROAD)
    assert result.exit_code == 0
    assert f"no matrix is stored for {abroad}: omit --stack to read it now" in result.stderr


def test_a_monitor_that_saw_nothing_yet_says_so(network: SampleNetwork) -> None:
    """The list is empty, and a note says why."""
    assert network.vpc
    result = posture("coverage", "--table", TABLES.findings)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no VPC found" in result.stderr


# --- explain -------------------------------------------------------------------------------------


def test_the_reasoning_is_printed_step_by_step(network: SampleNetwork) -> None:
    """The answer first, then what decides it."""
    result = posture("explain", network.subnet, "s3")
    assert result.exit_code == 0
    assert f"endpoint, all traffic is routed to {network.gateway}" in result.stdout.splitlines()[0]
    assert f"uses the route table {network.table} (associated with it)" in result.stdout
    assert f"because {network.table} has the route" in result.stdout
    assert f"to {network.gateway} (static)" in result.stdout


def test_the_reasoning_as_json(network: SampleNetwork) -> None:
    """The cell of the matrix and the steps, each with its record."""
    found = json.loads(posture("explain", network.subnet, "sns", "-o", "json").stdout)
    assert (found["subnet"], found["outcome"]) == (network.subnet, "endpoint")
    assert found["service"] == f"com.amazonaws.{REGION}.sns"
    steps = {step["about"]: step["record"] for step in found["steps"]}
    assert steps["security group"]["group"] == network.group
    assert steps["names"]["endpoints"] == network.interface


def test_the_policys_verdict_belongs_to_it(network: SampleNetwork) -> None:
    """With its answers for machines."""
    result = posture("explain", network.subnet, "s3")
    assert f"The policy of {network.gateway} allows full access" in result.stdout
    found = json.loads(posture("explain", network.subnet, "s3", "-o", "json").stdout)
    steps = {step["about"]: step["record"] for step in found["steps"]}
    assert steps["policy"]["endpoint"] == network.gateway
    assert steps["policy"]["untrusted_principal"] == "yes"


def test_the_reasoning_a_step_a_line(network: SampleNetwork) -> None:
    """For programs that read lines."""
    lines = posture("explain", network.subnet, "s3", "-o", "ndjson").stdout.splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, len(lines) + 1))


def test_a_full_name_is_understood(network: SampleNetwork) -> None:
    """As EC2 spells it."""
    assert posture("explain", network.subnet, f"com.amazonaws.{REGION}.s3").exit_code == 0


def test_an_unknown_service_names_those_alike(
    network: SampleNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, with what may have been meant."""
    text = fail(monkeypatch, capsys, "explain", network.subnet, "ecr")
    assert "no endpoint service 'ecr'; did you mean ecr.api or ecr.dkr" in text


def test_an_unknown_subnet_names_those_alike(
    network: SampleNetwork, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, with what may have been meant."""
    wrong = network.subnet[:-1] + ("0" if network.subnet[-1] != "0" else "1")
    text = fail(monkeypatch, capsys, "explain", wrong, "s3")
    assert f"there is no {wrong} in {REGION}; did you mean {network.subnet}" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("vpc-1", "s3"), "'vpc-1' is not a subnet"),
        (("subnet-0a", "s3", "--region", "europe"), "'europe' is not a Region"),
    ],
)
def test_misspelt_arguments(
    network: SampleNetwork,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    """What was expected is said before anything is read."""
    calls = network.record_calls()
    assert expected in fail(monkeypatch, capsys, "explain", *arguments)
    assert calls == []


def test_a_misspelt_group(network: SampleNetwork) -> None:
    """It is named with its option."""
    result = posture("explain", network.subnet, "s3", "--group", "web")
    assert result.exit_code == 2
    assert "'web' is not a security group" in result.stderr
