"""Finds the Region and the account of each resource of a Terraform plan."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from posture.model.service_names import REGION, find_region
from posture_cli.failure import CommandError
from posture_cli.plan.terraform_ids import find_own_kind
from posture_cli.plan.terraform_mapping import ADD
from posture_cli.plan.terraform_plan import Instance, Json, TerraformPlan

NO_ACCOUNT = "000000000000"  # stands for an account that is not known; no account has it
ZONE = re.compile(r"([a-z]{2,4}(?:-[a-z]+)+-\d+)[a-z]")
ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]*:(?P<region>[a-z0-9-]*):(?P<account>\d{12}):")
ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True, slots=True)
class ProviderRegion:
    """The Region and account that a provider of a Terraform plan works in."""

    account: str
    region: str
    account_known: bool = True


def find_regions(
    plan: TerraformPlan, file: str, *, region: str | None, account: str | None
) -> dict[ProviderRegion, TerraformPlan]:
    """Return the part of a plan for each Region with network resources.

    Raises:
        CommandError: The Region of a resource is not known.
    """
    finder = _Finder(plan, region, account)
    parts: dict[ProviderRegion, tuple[list[Instance], list[Instance]]] = {}
    for at, instances in enumerate((plan.before, plan.after)):
        for each in instances:
            found = finder.find(each)
            if found is None:
                if each.mode == "managed" and each.type in ADD:
                    raise CommandError(
                        f"{file}: {each.address}: its Region is not in the plan; give --region"
                    )
                continue
            parts.setdefault(found, ([], []))[at].append(each)
    return {
        found: replace(plan, before=before, after=after, changed=_select(plan, (*before, *after)))
        for found, (before, after) in parts.items()
        if any(find_own_kind(it.mode, it.type) or it.type in ADD for it in (*before, *after))
    }


def _select(plan: TerraformPlan, instances: Iterable[Instance]) -> Mapping[str, tuple[str, ...]]:
    own = {each.address for each in instances}
    return {address: it for address, it in plan.changed.items() if address in own}


class _Finder:
    def __init__(self, plan: TerraformPlan, region: str | None, account: str | None) -> None:
        self._plan = plan
        self._region = region
        self._account = account
        self._regions: dict[str, ProviderRegion | None] = {}
        self._by_provider: dict[str, list[Instance]] = {}
        for each in (*plan.before, *plan.after):
            self._by_provider.setdefault(self._get_provider(each), []).append(each)

    def _get_provider(self, instance: Instance) -> str:
        return str(self._plan.find_config(instance).get("provider_config_key") or "aws")

    def find(self, instance: Instance) -> ProviderRegion | None:
        """Return the Region of an instance; None if its Region is not known."""
        provider = self._get_provider(instance)
        if provider not in self._regions:
            self._regions[provider] = self._find_region(provider)
        found = self._regions[provider]
        own = instance.values.get("region")  # of every resource since version 6 of the provider
        if isinstance(own, str) and REGION.fullmatch(own):
            return (
                ProviderRegion(found.account, own, found.account_known)
                if found
                else self._build(own, provider)
            )
        return found

    def _find_region(self, provider: str) -> ProviderRegion | None:
        config = self._plan.providers.get(provider, {}).get("expressions") or {}
        region = self._evaluate(config.get("region")) or self._guess(provider) or self._region
        return self._build(region, provider) if region else None

    def _build(self, region: str, provider: str) -> ProviderRegion:
        config = self._plan.providers.get(provider, {}).get("expressions") or {}
        roles = list(_list_texts(config.get("assume_role")))
        allowed = list(_list_texts(config.get("allowed_account_ids")))
        found = [match["account"] for text in roles if (match := ARN.match(f"{text}:"))]
        found += [each for each in allowed if ACCOUNT.fullmatch(each)][:1]
        found += [self._account] if self._account else []
        found += [it for it, _ in Counter(self._list_accounts(provider)).most_common(1)]
        return ProviderRegion(found[0] if found else NO_ACCOUNT, region, bool(found))

    def _list_accounts(self, provider: str) -> Iterator[str]:
        for each in self._by_provider.get(provider, ()):
            values = each.values
            if each.type == "aws_caller_identity" and isinstance(values.get("account_id"), str):
                yield from [values["account_id"]] * 1000
            if find_own_kind(each.mode, each.type) and isinstance(values.get("owner_id"), str):
                yield values["owner_id"]
            arn = values.get("arn")
            if each.mode == "managed" and isinstance(arn, str) and (match := ARN.match(arn)):
                yield match["account"]

    def _evaluate(self, expression: Any) -> str | None:
        """Evaluate an expression that is a constant or a variable of the root module."""
        if not isinstance(expression, Mapping):
            return None
        value = expression.get("constant_value")
        references: list[str] = list(expression.get("references") or ())
        if value is None and len(references) == 1 and references[0].startswith("var."):
            value = self._plan.variables.get(references[0].removeprefix("var."))
        return value if isinstance(value, str) and REGION.fullmatch(value) else None

    def _guess(self, provider: str) -> str | None:
        """Find the Region in the zones, ARNs and service names of a provider's resources."""
        found = Counter(
            region
            for each in self._by_provider.get(provider, ())
            for region in _list_regions(each.values)
        )
        return found.most_common(1)[0][0] if found else None


def _list_regions(values: Json) -> Iterator[str]:
    zone = values.get("availability_zone")
    if isinstance(zone, str) and (match := ZONE.fullmatch(zone)):
        yield match[1]
    arn = values.get("arn")
    if isinstance(arn, str) and (match := ARN.match(arn)) and match["region"]:
        yield match["region"]
    name = values.get("service_name")
    if isinstance(name, str) and (region := find_region(name)) and not values.get("service_region"):
        yield region


def _list_texts(expression: Any) -> Iterator[str]:
    if isinstance(expression, str):
        yield expression
    elif isinstance(expression, Mapping):
        for each in expression.values():
            yield from _list_texts(each)
    elif isinstance(expression, list):
        for each in expression:
            yield from _list_texts(each)
