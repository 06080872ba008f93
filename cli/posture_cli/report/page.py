"""Renders the report as one HTML page that loads nothing from the network.

Jinja escapes everything dynamic. The content security policy of the page allows only its own script
and style, by their digests, and forbids loading anything.
https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
"""

import base64
import hashlib
from datetime import datetime
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from posture.model.verdict import Severity
from posture_cli.report.report_model import ReportData, build_report_model
from posture_cli.report.trend import HEIGHT, WIDTH

COLOUR_MEANINGS = {
    "good": "endpoint",
    "warn": "endpoint in part",
    "bad": "internet, or blocked",
    "other": "another network",
    "idle": "no route",
    "unknown": "unknown",
}


def render_report(data: ReportData) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("posture_cli", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["time"] = _format_time
    style, script = (
        files("posture_cli.report").joinpath(name).read_text("utf-8")
        for name in ("page.css", "page.js")
    )
    return environment.get_template("page.html.j2").render(
        it=build_report_model(data),
        severities=list(Severity),
        colours=COLOUR_MEANINGS,
        trend_width=WIDTH,
        trend_height=HEIGHT,
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; "
            f"style-src {_digest(style)}; script-src {_digest(script)}"
        ),
    )


def _digest(source: str) -> str:
    digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _format_time(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
