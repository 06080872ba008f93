"""Record the output of the CDK apps: python record.py, with node and aws-cdk-lib in NODE_PATH.

Only what `posture plan` reads is kept: the manifest's stacks, their templates and asset lists.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE.parent / "corpus" / "cdk"


def list_apps() -> list[str]:
    """List the names of the apps."""
    text = (HERE / "apps.js").read_text(encoding="utf-8")
    return re.findall(r"^  '([a-z-]+)': \(app\)", text, re.MULTILINE)


def synthesise(name: str, folder: Path) -> None:
    """Synthesise one app anew."""
    node = shutil.which("node") or "node"
    command = [node, str(HERE / "apps.js"), name, str(folder)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - an own script


def trim(folder: Path) -> dict[str, object]:
    """Return the files that are kept, as JSON, by name."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    stacks = {
        name: {
            "type": it["type"],
            "environment": it["environment"],
            "properties": {"templateFile": it["properties"]["templateFile"]},
        }
        for name, it in manifest["artifacts"].items()
        if it["type"] == "aws:cloudformation:stack"
    }
    found: dict[str, object] = {"manifest.json": {"version": "recorded", "artifacts": stacks}}
    for file in sorted(folder.glob("*.template.json")):
        template = json.loads(file.read_text(encoding="utf-8"))
        for name in ("Parameters", "Rules"):
            template.get(name, {}).pop("BootstrapVersion", None)
            template.get(name, {}).pop("CheckBootstrapVersion", None)
        found[file.name] = {key: it for key, it in template.items() if it}
    for file in sorted(folder.glob("*.assets.json")):
        files = json.loads(file.read_text(encoding="utf-8"))["files"]
        nested = {
            key: {"source": it["source"]}
            for key, it in files.items()
            if ".nested." in str(it["source"].get("path"))
        }
        if nested:
            found[file.name] = {"files": nested}
    return found


def main() -> None:
    """Write the corpus."""
    for name in sys.argv[1:] or list_apps():
        with tempfile.TemporaryDirectory() as folder:
            synthesise(name, Path(folder))
            target = CORPUS / name
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            for file, content in trim(Path(folder)).items():
                text = json.dumps(content, indent=1) + "\n"
                (target / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
