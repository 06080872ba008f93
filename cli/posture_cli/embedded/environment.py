"""Replace the process's environment variables for the time of a block."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# Variables of the user's own AWS, which must not reach the emulated one.
USER_PREFIXES = ("AWS_", "POWERTOOLS_", "BOTO_")


@contextmanager
def set_variables(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and restore the environment at the end."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def isolate_environment(region: str) -> Iterator[None]:
    """Hide the user's AWS settings, so that their profiles and credentials are never used."""
    settings = {
        "AWS_ACCESS_KEY_ID": "embedded",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # moto serves DynamoDB Streams at its host name without the account id only
        "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    }
    with set_variables({}):
        for name in [name for name in os.environ if name.startswith(USER_PREFIXES)]:
            del os.environ[name]
        os.environ.update(settings)
        yield
