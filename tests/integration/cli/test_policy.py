"""`posture policy` as engineers and pipelines call it."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from posture.model.features import FEATURE_NAMES
from posture_cli.app import app
from posture_cli.main import run
from posture_cli.render.policy_formats import PolicyPlace, format_terraform

ACCOUNT = "111122223333"
ORGANIZATION = "o-a1b2c3d4e5"
OPEN = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
PINNED = {
    **OPEN,
    "Condition": {
        "StringEquals": {
            "aws:PrincipalOrgID": ORGANIZATION,
            "aws:ResourceOrgID": ORGANIZATION,
        }
    },
}


def check(document: object, *arguments: str) -> Result:
    """Check a document from standard input."""
    text = document if isinstance(document, str) else json.dumps({"Statement": document})
    call = ["policy", "check", "-", "--account", ACCOUNT, *arguments]
    return CliRunner().invoke(app, call, input=text)


def checked(document: object, *arguments: str) -> dict[str, Any]:
    """Return the answer as a machine gets it."""
    answer: dict[str, Any] = json.loads(check(document, "-o", "json", *arguments).stdout)
    return answer


def test_the_json_has_every_question() -> None:
    """Each with an answer, and a witness where it is yes."""
    found = checked(OPEN)
    questions = {"full_access", "untrusted_principal", "untrusted_resource"}
    assert found.keys() == questions | {"allows_nothing", "lints"}
    assert {found[each]["answer"] for each in questions} == {"yes"}
    assert found["untrusted_principal"]["statement"] == {"number": 1, "sid": None, "line": 1}
    witness = found["untrusted_principal"]["witness"]
    assert witness["account"] != ACCOUNT
    assert witness["context"]["aws:PrincipalAccount"] == witness["account"]
    assert "aws:PrincipalOrgID" in witness["absent"]


@pytest.mark.parametrize(
    ("document", "arguments", "code"),
    [
        (PINNED, ["--trusted-org", ORGANIZATION], 0),
        (PINNED, [], 1),
        (OPEN, [], 1),
        ({**OPEN, "Effect": "Deny"}, [], 0),
        ({**OPEN, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}}, [], 3),
        (
            {**OPEN, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}},
            ["--vpc", "vpc-1"],
            1,
        ),
        (
            {**OPEN, "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-1"}}},
            ["--vpc", "vpc-2"],
            0,
        ),
        ({**OPEN, "Condition": {"StringMagic": {"aws:x": "y"}}}, [], 3),
    ],
)
def test_the_exit_code_says_what_was_decided(
    document: object, arguments: list[str], code: int
) -> None:
    """0 all no, 1 a yes, 3 when the rest is unknown."""
    assert check(document, *arguments).exit_code == code


def test_text_reads_like_a_sentence() -> None:
    """Each answer with its example, the statement and the remarks."""
    output = check({**OPEN, "Action": "s3:Get*", "Sid": "Reads"}, "--service", "s3").stdout
    assert "no      allows full access" in output
    assert "yes     allows an untrusted principal" in output
    assert "can call s3:GetObject on arn:aws:s3:::" in output
    assert "by statement 1 (Reads), line 1" in output


def test_a_baseline_file_says_whom_to_trust(tmp_path: Path) -> None:
    """In place of flags, with its overrides and its list of actions."""
    file = tmp_path / "baseline.yaml"
    file.write_text(
        f"default:\n  trusted_organizations: [{ORGANIZATION}]\n"
        'overrides:\n  - name: x\n    match: {accounts: ["' + ACCOUNT + '"]}\n'
        '    set: {allowed_actions: ["s3:*"]}\n'
    )
    found = checked(PINNED, "--baseline", str(file))
    assert found["untrusted_principal"]["answer"] == "no"
    assert found["disallowed_action"]["answer"] == "yes"
    assert not found["disallowed_action"]["witness"]["action"].startswith("s3:")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "line 1, column 2: expected a name"),
        ('{"Statement": [\n  {"Effect": "allow"}]}', "line 2, column 3: expected Principal"),
        ("[]", "expected a policy document as an object"),
        ("", "expected a JSON value"),
        (json.dumps({"Statement": OPEN}) + " " * 20_480, "the maximum is 20480"),
    ],
)
def test_what_is_no_policy_is_a_sentence(
    text: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the position of the error, and exit code 2."""
    file = tmp_path / "policy.json"
    file.write_text(text)
    monkeypatch.setattr("sys.argv", ["posture", "policy", "check", str(file)])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--account", "1111"],
        ["--trusted-account", "mine"],
        ["--trusted-org", "mine"],
        ["--vpc", "subnet-1"],
        ["--endpoint", "vpc-1"],
        ["--type", "resource"],
    ],
)
def test_a_wrong_option_names_what_was_expected(arguments: list[str]) -> None:
    """And ends with 2."""
    result = check(OPEN, *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def invoke(*arguments: str, text: str = "") -> Result:
    """Run `posture policy`."""
    return CliRunner().invoke(app, ["policy", *arguments], input=text)


def write(folder: Path, name: str, *statements: object) -> str:
    """Write a policy to a file and return its path."""
    file = folder / name
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": statements}))
    return str(file)


S3 = ("--service", "s3", "--region", "eu-west-1")


def test_check_says_what_a_policy_would_stop(tmp_path: Path) -> None:
    """By feature and request, those that are stopped first; the exit code is 1."""
    file = write(tmp_path, "policy.json", PINNED)
    options = ("--account", ACCOUNT, "--trusted-org", ORGANIZATION, *S3)
    result = invoke("check", file, *options, "--needs", "ecr,amazon-linux")
    assert result.exit_code == 1
    assert "yes" not in result.stdout
    assert "blocked Amazon ECR (downloads of image layers) stops: s3:GetObject" in result.stdout
    needs = json.loads(invoke("check", file, *options, "--needs", "ecr", "-o", "json").stdout)[
        "needs"
    ]
    assert [(each["feature"], each["status"], each["signer"]) for each in needs] == [
        ("ecr", "blocked", "aws-account")
    ]
    assert invoke("check", file, *options).exit_code == 0


def test_check_takes_the_needs_of_a_baseline(tmp_path: Path) -> None:
    """Those that the required services imply, or that `aws_owned_resources` names."""
    file = write(tmp_path, "policy.json", PINNED)
    baseline = tmp_path / "baseline.yaml"
    trusted = f"default:\n  trusted_organizations: [{ORGANIZATION}]\n"
    options = ("--account", ACCOUNT, *S3, "--baseline", str(baseline))
    for fields, code in (
        ("", 0),
        ("  required_services: [ecr.dkr]\n", 1),
        ("  required_services: [ecr.dkr]\n  aws_owned_resources: none\n", 0),
        ("  aws_owned_resources: [amazon-linux]\n", 1),
    ):
        baseline.write_text(trusted + fields)
        assert invoke("check", file, *options).exit_code == code, fields


def test_diff_shows_each_group_with_an_example(tmp_path: Path) -> None:
    """As a table, Markdown and JSON; the exit code is 1."""
    old, new = write(tmp_path, "old.json", PINNED), write(tmp_path, "new.json", OPEN)
    result = invoke("diff", old, new, *S3, "--trusted-org", ORGANIZATION)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["CHANGE", "CALLERS", "RESOURCES"]
    assert any(
        line.startswith("allowed")
        and "untrusted principals" in line
        and "statement 1 of the new policy" in line
        and "can call s3:" in line
        for line in lines
    )
    markdown = invoke("diff", old, new, *S3, "-o", "markdown").stdout
    assert markdown.startswith("| change | callers |")
    record = json.loads(invoke("diff", old, new, *S3, "-o", "json").stdout)
    assert record["unknown"] == []
    assert {each["change"] for each in record["changes"]} == {"allowed"}
    assert all(each["examples"][0]["action"].startswith("s3:") for each in record["changes"])


@pytest.mark.parametrize(
    ("new", "code", "sentence"),
    [
        ([OPEN, {**OPEN, "Action": "s3:GetObject"}], 0, "both policies allow the same requests"),
        ([OPEN, {**OPEN, "Effect": "Deny", "Action": "kms:*"}], 0, "the same requests"),
        ([{**OPEN, "Condition": {"StringMagic": {"aws:x": "y"}}}], 3, "unknown whether other"),
        ([{**OPEN, "Action": "s3:GetObject"}], 1, ""),
    ],
)
def test_the_exit_code_of_diff_says_whether_requests_differ(
    new: list[object], code: int, sentence: str, tmp_path: Path
) -> None:
    """0 none, 1 some, 3 if that is not known."""
    before = write(tmp_path, "old.json", {**OPEN, "Effect": "Deny"} if code == 3 else OPEN)
    result = invoke("diff", before, write(tmp_path, "new.json", *new), *S3)
    assert result.exit_code == code
    assert sentence in result.stderr


def test_diff_names_the_file_that_is_no_policy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With line and column, and exit code 2."""
    good, bad = write(tmp_path, "old.json", OPEN), tmp_path / "bad.json"
    bad.write_text('{"Statement": [\n  {}]}')
    monkeypatch.setattr("sys.argv", ["posture", "policy", "diff", good, str(bad)])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 2
    assert f"{bad}: line 2, column 3: expected Principal" in capsys.readouterr().err
    assert invoke("diff", "-", "-").exit_code == 2


GENERATE = ("generate", *S3, "--needs", "ecr,amazon-linux", "--trusted-org", ORGANIZATION)


def test_a_generated_policy_passes_the_check(tmp_path: Path) -> None:
    """Standard output holds the document alone, standard error the reasons and what passes."""
    result = invoke(*GENERATE, "-o", "json")
    assert result.exit_code == 0
    file = tmp_path / "policy.json"
    file.write_text(result.stdout)
    options = ("--account", ACCOUNT, "--trusted-org", ORGANIZATION, "--organization", ORGANIZATION)
    assert invoke("check", str(file), *S3, *options, "--needs", "ecr,amazon-linux").exit_code == 0
    assert "2. AwsOwnedResources: AWS owns the resources" in result.stderr
    assert "passes: Amazon ECR (downloads of image layers)" in result.stderr


def test_every_format_holds_the_same_document(tmp_path: Path) -> None:
    """As text, for the AWS CLI, Terraform and CloudFormation, with the reasons."""
    document = json.loads(invoke(*GENERATE, "-o", "json").stdout)
    text = invoke(*GENERATE).stdout
    assert json.loads(text[text.index("{") :]) == document
    command = shlex.split(invoke(*GENERATE, "--endpoint", "vpce-0a1b", "-o", "cli").stdout)
    assert command[:5] == ["aws", "ec2", "modify-vpc-endpoint", "--vpc-endpoint-id", "vpce-0a1b"]
    assert json.loads(command[-1]) == document
    template = invoke(*GENERATE, "-o", "cloudformation").stdout
    assert "# AwsOwnedResources: AWS owns the resources" in template
    properties = yaml.safe_load(template)["Resources"]["S3Endpoint"]["Properties"]
    assert properties["PolicyDocument"] == document
    assert properties["VpcEndpointType"] == "Gateway"
    assert properties["ServiceName"] == "com.amazonaws.eu-west-1.s3"
    source = invoke(*GENERATE, "-o", "terraform").stdout
    assert "# AwsOwnedResources: AWS owns the resources" in source
    assert_is_terraform(source, tmp_path)


def assert_is_terraform(source: str, folder: Path) -> None:
    """Let `terraform fmt` read it: it is valid and already formatted."""
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("terraform is not on the PATH, so what is generated for it is not parsed")
    file = folder / "policy.tf"
    file.write_text(source)
    done = subprocess.run(  # noqa: S603 - the program that was found
        [terraform, "fmt", "-check", "-diff", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_variable_of_a_policy_is_no_template_of_terraform() -> None:
    """In HCL `${` begins a template, so that it is doubled."""
    statement = {"Sid": "X", "Resource": ["arn:aws:s3:::b/${aws:PrincipalTag/team}/*"]}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    source = format_terraform(document, PolicyPlace("s3", gateway=True), ["why"])
    assert '"arn:aws:s3:::b/$${aws:PrincipalTag/team}/*"' in source


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--service", "s3", "--needs", "ecr"], 2, "use --region"),
        (["--region", "eu-west-1"], 2, "--service"),
        ([*S3, "--needs", "ecr"], 2, "say whom to trust"),
        (["--service", "ssmm", "--region", "eu-west-1"], 2, "did you mean ssm?"),
        ([*S3, "--needs", "ecrr", "--account", ACCOUNT], 2, "did you mean ecr?"),
        ([*S3, "--allowed-actions", "Get Object", "--account", ACCOUNT], 2, "is not an action"),
        (
            [*S3, "--needs", "ecr", "--account", ACCOUNT, "--allowed-actions", "s3:PutObject"],
            1,
            "no such policy: Amazon ECR (ecr) needs s3:GetObject, which allowed_actions does not",
        ),
        ([*S3, "--needs", "amazon-q", "--account", ACCOUNT], 3, "not proven: Amazon Q Developer"),
    ],
)
def test_generate_says_why_there_is_no_policy(
    arguments: list[str], code: int, sentence: str
) -> None:
    """2 for a wrong call, 1 for a conflict, 3 for what cannot be proven."""
    result = invoke("generate", *arguments)
    assert result.exit_code == code
    assert sentence in " ".join(result.stderr.replace("│", " ").split())


def test_the_help_teaches_with_examples() -> None:
    """The group names what each command answers; each command ends with examples."""
    group = invoke("--help").stdout
    assert "generate the least one" in " ".join(group.split())
    for command in ("check", "diff", "generate", "features"):
        assert command in group
        assert f"posture policy {command}" in invoke(command, "--help").stdout


def test_the_features_that_can_be_named_are_listed() -> None:
    """With the endpoints that need them; JSON has the requests and their sources."""
    lines = invoke("features").stdout.splitlines()
    assert lines[0].split() == ["NAME", "TITLE", "ENDPOINTS", "INCLUDES", "REQUIRED_BY"]
    assert any(line.startswith("ecr ") and "ecr.api, ecr.dkr, s3" in line for line in lines)
    records = json.loads(invoke("features", "-o", "json").stdout)
    assert [each["name"] for each in records] == sorted(FEATURE_NAMES)
    assert all(request["sources"] for each in records for request in each["requests"])
