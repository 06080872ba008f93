"""`posture policy check` as engineers and pipelines call it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from posture_cli.app import app
from posture_cli.main import run

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
