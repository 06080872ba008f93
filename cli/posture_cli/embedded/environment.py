"""Hide the user's own AWS from the emulated one."""

import os
from contextlib import AbstractContextManager
from unittest.mock import patch

# Variables of the user's own AWS, which must not reach the emulated one.
USER_PREFIXES = ("AWS_", "POWERTOOLS_", "BOTO_")


def isolate_environment(region: str) -> AbstractContextManager[object]:
    """Hide the user's AWS settings, so that their profiles and credentials are never used."""
    others = {key: it for key, it in os.environ.items() if not key.startswith(USER_PREFIXES)}
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
    return patch.dict(os.environ, others | settings, clear=True)
