"""The result of `sam build`: reproducible, and without files that do not run."""

import json
import marshal
import os
import shutil
import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest
from samcli.lib.utils.hash import dir_checksum

from stack_template import PATH

ROOT = PATH.parent
LAYERS = ("PostureLayer", "DependenciesLayer")
FUNCTIONS = ("evaluate", "notify", "sweep")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
UNCHECKED = (1).to_bytes(4, "little")  # https://peps.python.org/pep-0552/
# Modules that import slowly or are not for Lambda: no handler may load one.
UNWANTED = {
    "aws_lambda_powertools.utilities.data_classes",
    "aws_lambda_powertools.utilities.parser",
    "aws_xray_sdk",
    "moto",
    "pydantic",
    "requests",
    "rich",
    "typer",
    "yaml",
}
LOADED = "import json, sys; import app; print(json.dumps(sorted(sys.modules)))"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Build a copy of the sources twice; before the second time it contains bytecode."""
    sources = tmp_path_factory.mktemp("sources")
    shutil.copy(PATH, sources)
    for name in ("functions", "layers"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, sources / name, ignore=ignored)
    bytecode = sources / "layers/posture/python/posture/__pycache__/left.pyc"
    folders = (tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other"))
    for folder in folders:
        sam = str(Path(sys.executable).parent / "sam")
        command = [sam, "build", "--no-cached", "-b", str(folder)]
        environment = os.environ | {
            "SAM_CLI_TELEMETRY": "0",
            "AWS_DEFAULT_REGION": "eu-west-1",
            # The Python of the tests stands for the Lambda runtime's.
            "LAYER_PYTHON": VERSION,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        subprocess.run(command, cwd=sources, env=environment, check=True, capture_output=True)  # noqa: S603
        bytecode.parent.mkdir(exist_ok=True)
        bytecode.write_bytes(b"bytecode")
    return folders


@pytest.mark.parametrize("layer", LAYERS)
def test_two_builds_have_one_digest(built: tuple[Path, Path], layer: str) -> None:
    """The sam command names uploads by this digest, so an unchanged layer is not deployed again."""
    one, other = (dir_checksum(str(folder / layer)) for folder in built)
    assert one == other


def test_the_layers_contain_only_what_runs(built: tuple[Path, Path]) -> None:
    """The project's package and the locked dependencies; the runtime contains boto3."""
    ours = {path.name for path in (built[1] / "PostureLayer/python").iterdir()}
    theirs = {path.name for path in (built[1] / "DependenciesLayer/python").iterdir()}
    assert ours == {"posture"}
    theirs = {name for name in theirs if not name.endswith((".dist-info", "__pycache__"))}
    assert theirs == {"aws_lambda_powertools", "jmespath", "typing_extensions.py"}
    assert not [*built[1].rglob("*.so")]


@pytest.mark.parametrize("layer", LAYERS)
def test_every_module_is_compiled(built: tuple[Path, Path], layer: str) -> None:
    """To unchecked bytecode that names the path in Lambda."""
    folder = built[1] / layer / "python"
    sources = sorted(folder.rglob("*.py"))
    compiled = [Path(cache_from_source(str(source))) for source in sources]
    assert sorted(folder.rglob("*.pyc")) == sorted(compiled)
    for source, bytecode in zip(sources, compiled, strict=True):
        content = bytecode.read_bytes()
        assert content[:8] == MAGIC_NUMBER + UNCHECKED
        place = f"/opt/python/{source.relative_to(folder)}"
        assert marshal.loads(content[16:]).co_filename == place  # noqa: S302 - our own


@pytest.mark.parametrize("layer", ["posture", "dependencies"])
@pytest.mark.parametrize("kept_by", ["PATH", "pyenv", "uv", ""])
def test_a_build_finds_the_python_of_the_layer(tmp_path: Path, layer: str, kept_by: str) -> None:
    """On the PATH, of pyenv or of uv; without any the build says what it lacks."""
    version, programs, log = "3.99", tmp_path / "bin", tmp_path / "log"
    places = {"PATH": programs / f"python{version}", "uv": tmp_path / "uv/python"}
    python = places.get(kept_by, tmp_path / f"pyenv/versions/{version}.1/bin/python")
    scripts = {programs / f"python{version}": "exit 127"}  # what pyenv has for others
    if kept_by:
        scripts[python] = f'[ "$1" = -c ] || echo "$PYTHONHASHSEED $@" >> {log}'
    if kept_by == "uv":
        scripts[programs / "uv"] = f"echo {python}"
    for path, text in scripts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    makefile = (ROOT / f"layers/{layer}/Makefile").read_text().replace("build-", "unused-")
    (tmp_path / "Makefile").write_text(f"{makefile}\ncompile:\n\t$(COMPILE)\n")
    done = subprocess.run(  # noqa: S603 - a recipe of ours
        ["make", "-s", "compile", f"LAYER_PYTHON={version}", "ARTIFACTS_DIR=artifacts"],  # noqa: S607
        cwd=tmp_path,
        env={"PATH": f"{programs}:/usr/bin:/bin", "PYENV_ROOT": str(tmp_path / "pyenv")},
        check=True,
        capture_output=True,
        text=True,
    )
    if kept_by:
        options = "-m compileall -q --invalidation-mode unchecked-hash"
        folders = "-s artifacts/python -p /opt/python artifacts/python"
        assert log.read_text() == f"0 {options} {folders}\n"
        assert done.stderr == ""
    else:
        assert "Python 3.99 not found" in done.stderr


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_loads_no_unneeded_module(built: tuple[Path, Path], function: str) -> None:
    """Imported from the built layers, before any client exists."""
    path = [ROOT / "functions" / function, *(built[1] / layer / "python" for layer in LAYERS)]
    tables = ("FINDINGS", "HISTORY", "BASELINE", "OWNERSHIP", "IDEMPOTENCY")
    environment = {f"{name}_TABLE": name.lower() for name in tables} | {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "MONITORED_ACCOUNT": "123456789012",
        "STACK_NAME": "posture",
        "RESOLVED_FINDING_DAYS": "400",
        "ALERT_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:alerts",
        "POWERTOOLS_METRICS_NAMESPACE": "VpcEndpointPosture",
        "POWERTOOLS_SERVICE_NAME": function,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [sys.executable, "-B", "-c", LOADED]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603
    loaded = set(json.loads(done.stdout))
    assert loaded & UNWANTED == set()
    others = {
        "evaluate": "posture.notification.notify",
        "sweep": "posture.notification.notify",
        "notify": "posture.evaluation.region_sweep",
    }
    assert others[function] not in loaded
