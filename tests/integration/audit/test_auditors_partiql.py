"""The PartiQL of docs/auditors.md, run in a shell as it stands there, against the emulator."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from audit_stage import ALICE, TableWriter
from finding_builders import NOON, at, verdict
from posture.model.verdict import Severity, Status
from posture.model.waiver import Waiver
from posture.store.waivers import WaiverTable
from posture_cli.embedded.moto_patches import patch_moto
from posture_cli.embedded.server import serve
from stack_tables import TABLES

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE = Path(__file__).parents[3] / "docs/auditors.md"
SETUP, *QUERIES = re.findall(r"```bash\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(not BASH, reason="needs bash")
# The AWS CLI's way from arguments to a call and from its answer to text, without the AWS CLI.
AWS = f"""#!{sys.executable}
import json, sys
import boto3, jmespath
from botocore import xform_name
service, operation, *rest = sys.argv[1:]
given = dict(zip(rest[::2], rest[1::2]))
shown, query = given.pop("--output", "json"), given.pop("--query", None)
parameters = {{"".join(map(str.capitalize, name.strip("-").split("-"))): value
              for name, value in given.items()}}
answer = getattr(boto3.client(service), xform_name(operation.replace("-", "_")))(**parameters)
answer.pop("ResponseMetadata")
found = jmespath.search(query, answer) if query else answer
print("\\t".join(found) if shown == "text" else json.dumps(found, indent=2))
"""


@pytest.fixture
def shell(dynamodb: "DynamoDBClient", tmp_path: Path) -> Iterator[dict[str, str]]:
    """Serve a stack with something of everything; yield the environment of a shell that uses it."""
    patch_moto()
    outputs = {
        f"{name.capitalize()}TableName": {"Value": getattr(TABLES, name)}
        for name in ("findings", "history", "baseline")
    }
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": outputs}
    stacks = boto3.client("cloudformation", region_name="eu-west-1")
    stacks.create_stack(StackName="posture", TemplateBody=json.dumps(template))
    writer = TableWriter(dynamodb)
    bad = verdict("gateway-service-bypasses-endpoint", severity=Severity.CRITICAL)
    summer = -60 * 24 * (NOON.timetuple().tm_yday - 213)  # the first day of August
    writer.record(summer, bad, verdict("endpoint-not-available", "vpce-0f", Status.UNKNOWN))
    waiver = Waiver("w-1", bad.rule, "*", "a/*", "why", "SEC-1", ALICE, at(0), at(60), ALICE, at(0))
    WaiverTable(dynamodb, TABLES.baseline, TABLES.history).add(waiver)
    aws = tmp_path / "aws"
    aws.write_text(AWS, encoding="utf-8")
    aws.chmod(0o755)
    with serve() as url:
        path = f"{tmp_path}:{os.environ['PATH']}"
        yield {**os.environ, "AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-west-1", "PATH": path}


def run(script: str, environment: dict[str, str]) -> Any:
    """Run a script in bash; return what its last command printed."""
    done = subprocess.run(  # noqa: S603 - our own documentation
        [str(BASH), "-euo", "pipefail", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_query_answers(shell: dict[str, str]) -> None:
    """With every column that it asks for."""
    assert len(QUERIES) >= 6
    for query in QUERIES:
        items = run(SETUP + query, shell)["Items"]
        assert items, query
        columns = re.findall(r'"(\w+)"', query.partition("FROM")[0])
        assert set(items[0]) == set(columns), query


def test_a_mistake_is_an_error_as_on_aws(shell: dict[str, str]) -> None:
    """An index that is not there, a statement that is malformed."""
    for statement, problem in (
        ("""SELECT * FROM "posture-findings"."by-colour" WHERE "colour" = 'red'""", "index"),
        ("""SELECT * FROM "posture-findings" WHERE""", "ValidationException"),
    ):
        with pytest.raises(AssertionError, match=problem):
            run(f"{SETUP}query <<'SQL'\n{statement}\nSQL\n", shell)
