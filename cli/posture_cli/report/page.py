"""Renders the report as one HTML page that loads nothing from the network.

Jinja escapes everything dynamic, and what the script shows it adds as text. The content security
policy of the page allows only its own script and style, by their digests, and forbids loading
anything. https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
"""

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files

from markupsafe import Markup

from posture.model.verdict import Severity
from posture_cli.report.outcome_colours import COLOUR_MEANINGS
from posture_cli.report.report_model import ReportData, build_report_model
from posture_cli.report.templates import TEMPLATES
from posture_cli.report.trend import HEIGHT, WIDTH


def render_report(data: ReportData) -> Iterator[str]:
    """Render the page, part by part."""
    style, script = (
        files("posture_cli.report").joinpath(name).read_text("utf-8")
        for name in ("page.css", "page.js")
    )
    return TEMPLATES.get_template("page.html.j2").generate(
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
