"""The whole stack in ministack, an emulator of AWS that others wrote and that runs the functions.

EC2 is answered by `posture emulate` beside it, as ministack's own keeps too little of a network.
IAM is enforced: a function may do what its role says, and a topic lets in whom its policy names.
"""

import json
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

from processes import ROOT, TOOLS, free_port, running, without_account

MINISTACK = TOOLS.parent / "ministack" / "bin" / "ministack"
REGION = "eu-west-1"
ACCOUNT = "123456789012"
OWN_SOURCE = "example.ec2"  # EventBridge keeps `aws.` for AWS itself, there as here
READY = "Running on "


@dataclass(frozen=True)
class Deployed:
    """A running emulator that the stack can be deployed into.

    Args:
        url: where it answers.
        shell: the environment of a person who works with it.
        built: the folder `sam build` made, with the template for this emulator in it.
    """

    url: str
    shell: Mapping[str, str]
    built: Path

    def client(self, service: Any) -> Any:
        """Give a client of the emulator."""
        session = boto3.Session("testing", "testing", region_name=REGION)
        return session.client(service, endpoint_url=self.url)

    def deploy(self, stack: str, **parameters: str) -> Mapping[str, str]:
        """Run `sam deploy`; give the stack's outputs."""
        given = {"Architecture": "x86_64"} | parameters
        run(
            self.shell,
            *("deploy", "--template", str(self.built / "emulated.json"), "--stack-name", stack),
            *("--no-confirm-changeset", "--capabilities", "CAPABILITY_IAM", "--resolve-s3"),
            *("--parameter-overrides", *(f"{key}={value}" for key, value in given.items())),
        )
        stacks = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {it["OutputKey"]: it["OutputValue"] for it in stacks[0]["Outputs"]}


def run(shell: Mapping[str, str], *command: str) -> str:
    """Run sam; give what it said. What it refuses is an error that carries its words."""
    done = subprocess.run(  # noqa: S603
        [str(TOOLS / "sam"), *command],
        env=shell,
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def started(folder: Path) -> Iterator[Deployed]:
    """Build the stack, start both emulators, and stop them at the end."""
    shell = without_account()
    with ExitStack() as exits:
        network = exits.enter_context(
            process([str(TOOLS / "posture"), "emulate", "--port", "0"], shell, "AWS_ENDPOINT_URL=")
        )
        settings = {
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "GATEWAY_PORT": str(port := free_port()),
            "AWS_ENDPOINT_URL_EC2": network.split()[0],
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "MINISTACK_HOST": "127.0.0.1",
            "TMPDIR": str(folder),
        }
        exits.enter_context(process([str(MINISTACK)], shell | settings, READY))
        url = f"http://127.0.0.1:{port}"
        shell |= {"AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": REGION}
        run(shell, "build", "--no-cached", "--build-dir", str(folder))
        template = for_emulator((folder / "template.yaml").read_text(encoding="utf-8"))
        (folder / "emulated.json").write_text(json.dumps(template), encoding="utf-8")
        yield Deployed(url, shell, folder)


@contextmanager
def process(command: list[str], shell: Mapping[str, str], ready: str) -> Iterator[str]:
    """Run a command beside us; give the rest of the line by which it says that it is ready."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with running(command, shell, **streams) as beside:
        lines = beside.stdout
        said = next(line.partition(ready)[2] for line in lines if ready in line)
        Thread(target=deque, args=(lines, 0), daemon=True).start()  # or its pipe fills
        yield said


def for_emulator(built: str) -> dict[str, Any]:
    """Give the built template with what ministack 1.5 cannot take said otherwise.

    * It has no `AWS::EC2::SecurityGroupIngress`; its network carries no packets anyway.
    * A number given as a parameter stays a text for its queue mapping.
    * It speaks no TLS, and would refuse all by the statements that demand it.
    * It refuses events of `aws.` sources from customers, as AWS does: one source more is let in.
    """
    template: dict[str, Any] = yaml_parse(built)
    resources: dict[str, Any] = template["Resources"]
    changes = resources["EvaluateFunction"]["Properties"]["Events"]["Changes"]["Properties"]
    changes["ScalingConfig"]["MaximumConcurrency"] = 5
    resources["ChangesRule"]["Properties"]["EventPattern"]["source"].append(OWN_SOURCE)
    for name, resource in list(resources.items()):
        statements = resource["Properties"].get("PolicyDocument", {}).get("Statement", [None])
        statements[:] = [it for it in statements if not it or it.get("Sid") != "TlsOnly"]
        if not statements or resource["Type"] == "AWS::EC2::SecurityGroupIngress":
            del resources[name]
    return template
