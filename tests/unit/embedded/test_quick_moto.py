"""What the embedded emulator answers more quickly is what moto answers."""

from typing import Any

import pytest
import xmltodict  # type: ignore[import-untyped]
from moto.core import serialize

from posture_cli.embedded.quick_moto import quicken_moto

DOCUMENTS: list[dict[str, Any]] = [
    {"Answer": {"@xmlns": "http://ec2.amazonaws.com/doc/", "set": {"item": [{"id": "a"}, {}]}}},
    {"Answer": {"text": "<&>\"'", "none": None, "empty": "", "yes": True, "one": 1, "half": 0.5}},
    {"Answer": {"list": [], "inner": {"list": []}, "mixed": [None, "", "a", {"b": []}]}},
    {"Answer": {"#text": "within", "@attribute": 'of "it"'}},
    {"Answer": {"with-hyphen": "a", "bytes": b"b", "pair": ("c", "d")}},
    {"Answer": "text only"},
]


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("document", DOCUMENTS)
def test_xml_is_as_xmltodict_writes_it(document: dict[str, Any], full: bool) -> None:
    """Whatever a document holds."""
    quicken_moto()
    options: dict[str, Any] = {"full_document": full, "short_empty_elements": True}
    written = serialize.xmltodict.unparse(document, **options)  # type: ignore[attr-defined]
    assert written == xmltodict.unparse(document, **options)
