"""Builds JUnit XML from the verdicts of a scan: one suite per rule, one case per resource.

https://github.com/testmoapp/junitxml
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from posture.model.scope import Scope
from posture.model.verdict import Status, Verdict
from posture_cli.interchange import ScopedVerdict, describe_remediation
from posture_cli.text import make_lines_printable, make_printable


def build_junit(verdicts: Sequence[ScopedVerdict]) -> str:
    """Build the XML document: fail becomes a failure, unknown an error."""
    root = ET.Element("testsuites", {"name": "VPC Endpoint Posture", **_counts(verdicts)})
    ordered = sorted(verdicts, key=lambda it: (it[1].rule, it[0], it[1].resource))
    for rule, members in groupby(ordered, key=lambda it: it[1].rule):
        suite = list(members)
        element = ET.SubElement(root, "testsuite", {"name": rule, **_counts(suite)})
        for scope, verdict in suite:
            _case(element, scope, verdict)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(verdicts: Sequence[ScopedVerdict]) -> dict[str, str]:
    statuses = [verdict.status for _, verdict in verdicts]
    return {
        "tests": str(len(statuses)),
        "failures": str(statuses.count(Status.FAIL)),
        "errors": str(statuses.count(Status.UNKNOWN)),
    }


def _case(suite: ET.Element, scope: Scope, verdict: Verdict) -> None:
    where = str(scope).strip("/").replace("/", ".")
    case = ET.SubElement(suite, "testcase", name=make_printable(verdict.resource), classname=where)
    if verdict.status is Status.PASS:
        return
    kind = "failure" if verdict.status is Status.FAIL else "error"
    element = ET.SubElement(
        case, kind, message=make_printable(verdict.summary), type=verdict.severity.value
    )
    element.text = make_lines_printable("\n".join(_text_lines(verdict)))


def _text_lines(verdict: Verdict) -> Iterator[str]:
    yield from (fact.text for fact in verdict.evidence)
    if verdict.remediation:
        yield from describe_remediation(verdict.remediation)
