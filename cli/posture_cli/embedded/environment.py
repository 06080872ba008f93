"""The process's environment, swapped for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# What belongs to the person's own AWS and must not reach the embedded one, nor the other way round.
OWN = ("AWS_", "POWERTOOLS_", "BOTO_")


@contextmanager
def set_variables(settings: Mapping[str, str]) -> Iterator[None]:
    """Set these variables, and put the old values back at the end."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def isolate_environment(region: str) -> Iterator[None]:
    """Hide the person's AWS settings: no profile, endpoint or credential of theirs is used."""
    settings = {
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # moto knows DynamoDB Streams by its old host name, without the account id
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    }
    with set_variables({}):
        for name in [name for name in os.environ if name.startswith(OWN)]:
            del os.environ[name]
        os.environ.update(settings)
        yield
