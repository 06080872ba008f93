"""The report as one HTML page that asks nothing of any network.

Everything dynamic passes Jinja's escaping. Besides, the page's own policy lets no script or style
run but the two in it, known by their digests, and lets nothing be loaded from anywhere.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from posture.model.verdict import Severity
from posture_cli.report.report_model import Contents, Material, contents
from posture_cli.report.trend import HEIGHT, WIDTH

TONES = {
    "good": "reaches an endpoint",
    "warn": "in part",
    "bad": "internet, or blocked",
    "other": "another network",
    "idle": "no way",
    "unknown": "could not be told",
}


def render(material: Material) -> str:
    """Give the page."""
    environment = Environment(
        loader=PackageLoader("posture_cli", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["time"] = _time
    style, script = (_source(environment, name) for name in ("page.css", "page.js"))
    told: Contents = contents(material)
    return environment.get_template("page.html.j2").render(
        it=told,
        severities=list(Severity),
        tones=TONES,
        trend_width=WIDTH,
        trend_height=HEIGHT,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src {_digest(style)}; script-src {_digest(script)}"
        ),
    )


def _source(environment: Environment, name: str) -> str:
    loader = environment.loader
    assert loader is not None  # noqa: S101 - it was given above
    return loader.get_source(environment, name)[0]


def _digest(source: str) -> str:
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
