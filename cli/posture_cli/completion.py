"""The values that a shell completes: no call to AWS, no credentials, and never an error.

The module is imported when a shell asks (`complete_with`), so that no command waits for it.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from botocore.session import Session

from posture.alerts.rule_texts import load_rule_texts

ACCOUNT = re.compile(r"\b\d{12}\b")
MOST = 2_000  # accounts that are remembered


def list_rules(incomplete: str) -> list[str]:
    """List the ids of rules."""
    return _match(load_rule_texts(), incomplete)


def list_profiles(incomplete: str) -> list[str]:
    """List the profiles of the caller's AWS settings."""
    return _match(Session().available_profiles, incomplete)


def list_regions(incomplete: str) -> list[str]:
    """List the regions that botocore knows, in every partition."""
    session = Session()
    partitions = session.get_available_partitions()
    names = {name for each in partitions for name in session.get_available_regions("ec2", each)}
    return _match(sorted(names), incomplete)


def list_accounts(incomplete: str) -> list[str]:
    """List the accounts that earlier commands met, and those that AWS settings name."""
    found = set(_read_accounts())
    with suppress(Exception):  # settings that cannot be parsed name none
        for profile in Session().full_config.get("profiles", {}).values():
            found.update(ACCOUNT.findall(" ".join(map(str, profile.values()))))
    return _match(sorted(found), incomplete)


def remember_accounts(accounts: Iterable[str]) -> None:
    """Remember accounts for completion; a cache that cannot be written is no error."""
    known = _read_accounts()
    added = [each for each in dict.fromkeys(accounts) if each not in set(known)]
    if not added:
        return
    file = _find_cache()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.{os.getpid()}")
        temporary.write_text("\n".join([*added, *known][:MOST]) + "\n", encoding="utf-8")
        temporary.replace(file)


def _read_accounts() -> list[str]:
    with suppress(OSError, UnicodeDecodeError):
        return ACCOUNT.findall(_find_cache().read_text(encoding="utf-8"))
    return []


def _find_cache() -> Path:
    """Return the file with the accounts, where the XDG specification has caches.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never fails
    return Path(folder) / "posture" / "accounts"


def _match(names: Iterable[str], incomplete: str) -> list[str]:
    return [each for each in names if each.startswith(incomplete)]
