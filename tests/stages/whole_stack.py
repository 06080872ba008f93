"""The whole stack in ministack, a third-party AWS emulator that runs the functions.

`posture emulate` emulates EC2, since ministack's EC2 lacks many network resources. ministack
enforces the IAM policies of roles and the resource policies of topics.
"""

import json
import shutil
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
from samcli.yamlhelper import yaml_parse

from processes import ROOT, TOOLS, build_environment, find_free_port, run_beside

MINISTACK = TOOLS.parent / "ministack" / "bin" / "ministack"
REGION = "eu-west-1"
ACCOUNT = "123456789012"
OWN_SOURCE = "example.ec2"  # ministack, as AWS, rejects `aws.` sources from customers
READY = "Running on "


@dataclass(frozen=True)
class Deployed:
    """A running emulator that the stack can be deployed into.

    Attributes:
        url: Its endpoint URL.
        shell: The environment variables of commands that use it.
        built: The result of `sam build`, with the template adapted to the emulator.
    """

    url: str
    shell: Mapping[str, str]
    built: Path

    def create_client(self, service: Any) -> Any:
        """Create a boto3 client for the emulator."""
        session = boto3.Session("testing", "testing", region_name=REGION)
        return session.client(service, endpoint_url=self.url)

    def deploy(self, stack: str, **parameters: str) -> Mapping[str, str]:
        """Run `sam deploy` as in a pipeline, which asks nothing; return the stack's outputs."""
        given = {"Architecture": "x86_64"} | parameters
        run_sam(
            self.shell,
            *("deploy", "--config-env", "pipeline", "--stack-name", stack),
            *("--template", str(self.built / "emulated.json")),
            *("--parameter-overrides", *(f"{key}={value}" for key, value in given.items())),
        )
        stacks = self.create_client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {it["OutputKey"]: it["OutputValue"] for it in stacks[0]["Outputs"]}


def run_sam(shell: Mapping[str, str], *command: str) -> str:
    """Run sam; return its output. A failure raises an error with the output."""
    done = subprocess.run(  # noqa: S603
        [str(TOOLS / "sam"), *command],
        env=shell,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def start_emulators(folder: Path) -> Iterator[Deployed]:
    """Build the stack and start both emulators; stop them at the end."""
    shell = build_environment()
    with ExitStack() as exits:
        network = exits.enter_context(
            start_process(
                [str(TOOLS / "posture"), "emulate", "--port", "0"], shell, "AWS_ENDPOINT_URL="
            )
        )
        settings = {
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "GATEWAY_PORT": str(port := find_free_port()),
            "AWS_ENDPOINT_URL_EC2": network.split()[0],
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_HOST": "127.0.0.1",
            "TMPDIR": str(folder),
        }
        exits.enter_context(start_process([str(MINISTACK)], shell | settings, READY))
        url = f"http://127.0.0.1:{port}"
        shell |= {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION}
        run_sam(shell, "build", "--no-cached", "--build-dir", str(folder))
        template = adapt_template((folder / "template.yaml").read_text(encoding="utf-8"))
        shutil.copy(ROOT / "samconfig.toml", folder)  # as `make release` does
        (folder / "emulated.json").write_text(json.dumps(template), encoding="utf-8")
        yield Deployed(url, shell, folder)


@contextmanager
def start_process(command: list[str], shell: Mapping[str, str], ready: str) -> Iterator[str]:
    """Run a command; yield the rest of the line that starts with `ready`."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with run_beside(command, shell, **streams) as beside:
        lines = beside.stdout
        answer = next(line.partition(ready)[2] for line in lines if ready in line)
        Thread(target=deque, args=(lines, 0), daemon=True).start()  # so that its pipe never fills
        yield answer


def adapt_template(built: str) -> dict[str, Any]:
    """Adapt the built template to ministack 1.5.

    * It lacks `AWS::EC2::SecurityGroupIngress`, and its network forwards no packets.
    * It passes a number in a parameter to the event source mapping as a string.
    * It has no TLS, so statements that require TLS would deny every request.
    * It rejects `aws.` event sources from customers, as AWS does, so the rule gets another source.
    * It evaluates no expression in an alarm, and no request in it comes through an endpoint.
    """
    template: dict[str, Any] = yaml_parse(built)
    resources: dict[str, Any] = template["Resources"]
    changes = resources["EvaluateFunction"]["Properties"]["Events"]["Changes"]["Properties"]
    changes["ScalingConfig"]["MaximumConcurrency"] = 5
    resources["ChangesRule"]["Properties"]["EventPattern"]["source"].append(OWN_SOURCE)
    del resources["AlertSubscribersAlarm"], resources["OwnEndpointsPolicy"]
    for name, resource in list(resources.items()):
        statements = resource["Properties"].get("PolicyDocument", {}).get("Statement", [None])
        statements[:] = [it for it in statements if not it or it.get("Sid") != "TlsOnly"]
        if not statements or resource["Type"] == "AWS::EC2::SecurityGroupIngress":
            del resources[name]
    return template
