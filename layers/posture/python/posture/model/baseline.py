"""What the organisation requires of a scope."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Baseline:
    """The requirements that hold for one scope, all overrides applied.

    Services are short names as AWS ends their full ones (`s3`, `ecr.dkr`). Accounts are twelve
    digits; the account of the scope itself is always trusted. Organisations are `o-…` ids.
    Endpoint services on the allow list are full names, or owner accounts.
    """

    required_services: tuple[str, ...] = ()
    trusted_accounts: frozenset[str] = frozenset()
    trusted_organizations: frozenset[str] = frozenset()
    allowed_endpoint_services: frozenset[str] = frozenset()
    allowed_regions: frozenset[str] = frozenset()  # besides the VPC's own
    allowed_actions: frozenset[str] = frozenset()  # for endpoint policies; empty: any
    pending_grace_minutes: int = 15
    waiver_approval: bool = False  # a waiver holds only once a second person has approved it
    waiver_max_days: int = 90  # a waiver that lasts longer excuses nothing
    exempt: bool = False
    exempt_reason: str = ""
