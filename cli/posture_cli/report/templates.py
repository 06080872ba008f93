"""The templates of the page. Jinja escapes everything dynamic."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from jinja2 import Environment, PackageLoader, StrictUndefined

TEMPLATES = Environment(
    loader=PackageLoader("posture_cli", "report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def format_time(instant: datetime) -> str:
    """Format a time for people."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def count_each(values: Iterable[str]) -> list[tuple[str, int]]:
    """Count how often each value occurs, the most frequent first."""
    return Counter(values).most_common()


TEMPLATES.filters["time"] = format_time
TEMPLATES.filters["counted"] = count_each
