"""Evaluate the intrinsic functions of a CloudFormation template.

What is known only after the deployment is an `Unknown`, and so is everything that is computed from
it. A resource's id or name is a symbol: its logical id.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from itertools import islice
from typing import Any

from posture.model.service_names import get_partition
from posture_cli.failure import CommandError
from posture_cli.plan.cloudformation_ids import PARAMETER_KINDS
from posture_cli.plan.template import SUBSTITUTION, Template
from posture_cli.plan.values import Unknown, find_unknown, make_symbol

DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:([^}]+)\}\}")
SUFFIXES = {"aws-cn": "amazonaws.com.cn"}
NO_VALUE = object()  # AWS::NoValue: the property is left out


@dataclass(frozen=True, slots=True)
class StackContext:
    """What CloudFormation knows beside the template.

    Attributes:
        name: The stack's name.
        account: The account's id.
        region: The region's name.
        parameters: The values that are given; a list is text with commas, as in a deployment.
        imports: The exports of other stacks by their names, and their outputs by pairs of stack and
            output.
        stack_id: The ARN of the deployed stack, if it is known.
        prefix: What precedes logical ids and names of parameters in symbols.
    """

    name: str | Unknown
    account: str
    region: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    imports: Mapping[Any, Any] = field(default_factory=dict)
    stack_id: str | None = None
    prefix: str = ""


class IntrinsicEvaluator:
    """Evaluates the values of one template.

    Args:
        template: The template.
        stack: What is known beside it.
        get_reference: Returns what `Ref` of a resource returns.
        get_attribute: Returns what `Fn::GetAtt` of a resource and attribute returns.
    """

    def __init__(
        self,
        template: Template,
        stack: StackContext,
        get_reference: Callable[[str], Any],
        get_attribute: Callable[[str, str], Any],
    ) -> None:
        self.template = template
        self.stack = stack
        self._get_reference = get_reference
        self._get_attribute = get_attribute
        self._conditions: dict[str, bool | Unknown | None] = {}
        self._parameters: dict[str, Any] = {}
        self._functions: Mapping[str, Callable[[Any, str], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Cidr": self._cidr,
            "Fn::GetAZs": self._get_zones,
            "Fn::ImportValue": self._import_value,
            "Fn::Base64": self._base64,
            "Fn::Length": self._length,
            "Fn::ToJsonString": self._to_json,
            "Fn::Equals": self._equals,
            "Fn::And": self._and,
            "Fn::Or": self._or,
            "Fn::Not": self._not,
            "Fn::Transform": lambda _, place: Unknown(f"the result of a macro at {place}"),
            "Fn::GetStackOutput": self._get_stack_output,
        }

    def evaluate(self, node: Any, place: str) -> Any:
        """Evaluate a value; `AWS::NoValue` leaves members and items out.

        Raises:
            CommandError: A function has arguments of the wrong form.
        """
        if isinstance(node, dict):
            function = next(iter(node)) if len(node) == 1 else ""
            if function in self._functions:
                return self._functions[function](node[function], f"{place}.{function}")
            found = {key: self.evaluate(it, f"{place}.{key}") for key, it in node.items()}
            return {key: it for key, it in found.items() if it is not NO_VALUE}
        if isinstance(node, list):
            items = [self.evaluate(each, f"{place}[{n}]") for n, each in enumerate(node)]
            return [each for each in items if each is not NO_VALUE]
        if isinstance(node, str) and (dynamic := DYNAMIC_REFERENCE.search(node)):
            return Unknown(f"the dynamic reference {dynamic[1]}")
        return node

    def holds(self, condition: str) -> bool | Unknown:
        """Evaluate a condition by its name.

        Raises:
            CommandError: The condition does not exist, or refers to itself.
        """
        if condition not in self.template.conditions:
            self._fail(f"Conditions.{condition}", "refers to a condition that is not declared")
        if condition not in self._conditions:
            self._conditions[condition] = None  # being evaluated
            body = self.template.conditions[condition]
            self._conditions[condition] = self._decide(body, f"Conditions.{condition}")
        result = self._conditions[condition]
        if result is None:
            self._fail(f"Conditions.{condition}", "circular reference")
        return result  # type: ignore[return-value]

    def get_parameter(self, name: str) -> Any:
        """Return a parameter's value: the given one, else the default, else an unknown."""
        if name not in self._parameters:
            self._parameters[name] = self._read_parameter(name)
        return self._parameters[name]

    def _read_parameter(self, name: str) -> Any:
        declared = self.template.parameters[name] or {}
        kind = str(declared.get("Type", "String"))
        given = name in self.stack.parameters
        value = self.stack.parameters[name] if given else declared.get("Default")
        if isinstance(value, Unknown):
            return value
        if kind.startswith("AWS::SSM::Parameter::Value"):
            return Unknown(f"the SSM parameter {value or name}")
        if value is None and kind in PARAMETER_KINDS:
            return make_symbol(PARAMETER_KINDS[kind], self.stack.prefix + name)
        if value is None:
            return Unknown(f"parameter {name}, which has no default")
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            items = value if isinstance(value, list) else str(value).split(",")
            return [each.strip() if isinstance(each, str) else each for each in items]
        return _to_text(value) if not isinstance(value, list) else value

    def _fail(self, place: str, problem: str) -> None:
        raise CommandError(f"{self.template.source}: {place}: {problem}")

    def _arguments(self, value: Any, place: str, counts: Sequence[int]) -> list[Any]:
        """Check a function's arguments, which are not evaluated yet."""
        if not isinstance(value, list) or len(value) not in counts:
            expected = " or ".join(map(str, counts))
            self._fail(place, f"expected a list of {expected} arguments")
        return list(value)

    def _ref(self, name: Any, place: str) -> Any:
        stack = self.stack
        partition = get_partition(stack.region)
        pseudo: dict[str, Any] = {
            "AWS::AccountId": stack.account,
            "AWS::Region": stack.region,
            "AWS::Partition": partition,
            "AWS::URLSuffix": SUFFIXES.get(partition, "amazonaws.com"),
            "AWS::StackName": stack.name,
            "AWS::StackId": stack.stack_id or Unknown("the stack's id"),
            "AWS::NotificationARNs": Unknown("the stack's notification topics"),
            "AWS::NoValue": NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.template.parameters:
            return self.get_parameter(name)
        if name not in self.template.resources:
            self._fail(place, f"refers to {name}, which the template does not declare")
        return self._get_reference(name)

    def _get_att(self, value: Any, place: str) -> Any:
        parts = value.split(".", 1) if isinstance(value, str) else list(value)
        if len(parts) != 2 or parts[0] not in self.template.resources:  # noqa: PLR2004
            self._fail(place, "expected a resource of the template and an attribute")
        attribute = self.evaluate(parts[1], place)
        if isinstance(attribute, Unknown):
            return attribute
        return self._get_attribute(parts[0], str(attribute))

    def _sub(self, value: Any, place: str) -> Any:
        text, own = (value, {}) if isinstance(value, str) else self._arguments(value, place, (2,))
        if not isinstance(text, str) or not isinstance(own, dict):
            self._fail(place, "expected text, or text and an object of values")
        if dynamic := DYNAMIC_REFERENCE.search(text):
            return Unknown(f"the dynamic reference {dynamic[1]}")
        unknown: list[Unknown] = []

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in own:
                found = self.evaluate(own[name], f"{place}.{name}")
            elif "." in name:
                found = self._get_att(name, place)
            else:
                found = self._ref(name, place)
            if isinstance(found, Unknown):
                unknown.append(found)
            elif isinstance(found, list | dict):
                self._fail(place, f"${{{name}}} is a list or an object, expected text")
            return _to_text(found)

        result = SUBSTITUTION.sub(replace, text).replace("${!", "${")
        return unknown[0] if unknown else result

    def _join(self, value: Any, place: str) -> Any:
        separator, items = self._arguments(value, place, (2,))
        found = self.evaluate(items, place)
        if isinstance(found, Unknown):
            return found
        if not isinstance(found, list):
            self._fail(place, "expected a list of values")
        unknown = next((each for each in found if isinstance(each, Unknown)), None)
        return unknown or str(separator).join(map(_to_text, found))

    def _select(self, value: Any, place: str) -> Any:
        index, items = (self.evaluate(each, place) for each in self._arguments(value, place, (2,)))
        if isinstance(items, Zones) and str(index).isdigit():
            return f"Fn::GetAZs[{index}]"
        if isinstance(index, Unknown) or isinstance(items, Unknown):
            return index if isinstance(index, Unknown) else items
        if not isinstance(items, list) or not str(index).isdigit():
            self._fail(place, "expected an index and a list")
        if int(index) >= len(items):
            self._fail(place, f"index {index}, but the list has {len(items)} items")
        return items[int(index)]

    def _split(self, value: Any, place: str) -> Any:
        separator, text = self._arguments(value, place, (2,))
        found = self.evaluate(text, place)
        if isinstance(found, Unknown):
            return found
        if not isinstance(found, str):
            self._fail(place, "expected text to split")
        return str(found).split(separator)

    def _if(self, value: Any, place: str) -> Any:
        name, yes, no = self._arguments(value, place, (3,))
        holds = self.holds(str(name))
        if isinstance(holds, Unknown):
            one, other = (self.evaluate(each, place) for each in (yes, no))
            return one if one == other else holds
        return self.evaluate(yes if holds else no, place)

    def _find_in_map(self, value: Any, place: str) -> Any:
        *keys, last = self._arguments(value, place, (3, 4))
        default = None
        if isinstance(last, dict) and "DefaultValue" in last:
            default = last["DefaultValue"]
        else:
            keys.append(last)
        names = [self.evaluate(each, place) for each in keys]
        if unknown := next((each for each in names if isinstance(each, Unknown)), None):
            return unknown
        node: Any = self.template.mappings
        for name in names:
            if not isinstance(node, dict) or str(name) not in map(str, node):
                if default is not None:
                    return self.evaluate(default, place)
                path = ".".join(map(str, names))
                self._fail(place, f"the mapping has no {path}")
            node = next(it for key, it in node.items() if str(key) == str(name))
        return self.evaluate(node, place)

    def _cidr(self, value: Any, place: str) -> Any:
        """Divide a block.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html
        """
        found = [self.evaluate(each, place) for each in self._arguments(value, place, (2, 3))]
        if unknown := next((each for each in found if isinstance(each, Unknown)), None):
            return unknown
        block, count, bits = found if len(found) == 3 else (*found, 5)  # noqa: PLR2004
        try:
            network = ip_network(block)
            subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
            blocks = [str(subnet) for subnet in islice(subnets, int(count))]
        except (ValueError, TypeError) as error:
            raise CommandError(f"{self.template.source}: {place}: {error}") from None
        if len(blocks) < int(count):
            self._fail(place, f"{block} has no {count} blocks of {bits} bits")
        return blocks

    def _get_zones(self, value: Any, place: str) -> Any:
        region = self.evaluate(value, place)
        if isinstance(region, Unknown):
            return region
        if region not in {"", self.stack.region}:
            return Unknown(f"the Availability Zones of {region}")
        return Zones(f"the Availability Zones of {self.stack.region}")

    def _import_value(self, value: Any, place: str) -> Any:
        name = self.evaluate(value, place)
        if isinstance(name, Unknown):
            return name
        return self.stack.imports.get(str(name), Unknown(f"the export {name} of another stack"))

    def _get_stack_output(self, value: Any, place: str) -> Any:
        """Return an output of another stack.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getstackoutput.html
        """
        found = self.evaluate(value, place)
        if unknown := find_unknown(found):
            return unknown
        if not isinstance(found, dict) or "OutputName" not in found:
            self._fail(place, "expected StackName and OutputName")
        key = (str(found.get("StackName")), str(found["OutputName"]))
        what = f"the output {key[1]} of the stack {key[0]}"
        return self.stack.imports.get(key, Unknown(what))

    def _base64(self, value: Any, place: str) -> Any:
        text = self.evaluate(value, place)
        if isinstance(text, Unknown):
            return text
        return base64.b64encode(str(text).encode()).decode()

    def _length(self, value: Any, place: str) -> Any:
        items = self.evaluate(value, place)
        return items if isinstance(items, Unknown) else len(items)

    def _to_json(self, value: Any, place: str) -> Any:
        found = self.evaluate(value, place)
        unknown = find_unknown(found)
        return unknown or json.dumps(found, separators=(",", ":"))

    def _decide(self, node: Any, place: str) -> bool | Unknown:
        """Evaluate a condition's body."""
        if isinstance(node, dict) and set(node) == {"Condition"}:
            return self.holds(str(node["Condition"]))
        found = self.evaluate(node, place)
        if isinstance(found, bool | Unknown):
            return found
        if str(found).lower() in {"true", "false"}:
            return str(found).lower() == "true"
        self._fail(place, "expected a condition function")
        return False

    def _equals(self, value: Any, place: str) -> bool | Unknown:
        one, other = (self.evaluate(each, place) for each in self._arguments(value, place, (2,)))
        unknown = find_unknown([one, other])
        return unknown or _to_text(one) == _to_text(other)

    def _and(self, value: Any, place: str) -> bool | Unknown:
        parts = [self._decide(each, place) for each in value]
        if any(each is False for each in parts):
            return False
        return next((each for each in parts if isinstance(each, Unknown)), True)

    def _or(self, value: Any, place: str) -> bool | Unknown:
        parts = [self._decide(each, place) for each in value]
        if any(each is True for each in parts):
            return True
        return next((each for each in parts if isinstance(each, Unknown)), False)

    def _not(self, value: Any, place: str) -> bool | Unknown:
        (part,) = self._arguments(value, place, (1,))
        decided = self._decide(part, place)
        return decided if isinstance(decided, Unknown) else not decided


@dataclass(frozen=True, slots=True)
class Zones(Unknown):
    """The names of a region's Availability Zones; one is a symbol, its position in the list.

    CloudFormation lists zones in the order of their names and, in a region whose default VPC lacks
    subnets in some zones, not all of them, so a position names a zone but not which.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getavailabilityzones.html
    """


def _to_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
