"""What the embedded emulator answers more quickly is what moto answers."""

import copy
from typing import Any

import pytest
import xmltodict  # type: ignore[import-untyped]
from moto.core import serialize
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

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


def test_an_item_has_the_limit_of_dynamodb() -> None:
    """However its attributes come to it, and however often one is set."""
    quicken_moto()
    item = LimitedSizeDict()
    for number in range(40):
        item[f"a{number}"] = DynamoType({"S": "x" * 10_000})
    for _ in range(20):
        item["a0"] = DynamoType({"S": "y"})
    with pytest.raises(ItemSizeTooLarge):
        item["last"] = DynamoType({"S": "x" * 20_000})
    assert "last" not in item


def test_the_copy_of_an_item_has_the_limit_too() -> None:
    """A copy has its attributes without setting them."""
    quicken_moto()
    item = Item(DynamoType({"S": "a"}), None, {"large": {"S": "x" * 390_000}})
    copied = copy.deepcopy(item)
    with pytest.raises(ItemSizeTooLarge):
        copied.attrs["last"] = DynamoType({"S": "x" * 20_000})
