"""A botocore session that reads no profile, looks for no credentials and makes no call."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from botocore.credentials import CredentialResolver
from botocore.session import Session


@lru_cache(maxsize=1)
def open_session() -> Session:
    """Open the process's only such session."""
    nowhere = (None, None, os.devnull, None)
    session = Session(
        {
            "profile": (None, None, None, None),
            "config_file": nowhere,
            "credentials_file": nowhere,
        }
    )
    session.register_component("credential_provider", CredentialResolver([]))
    return session


@lru_cache(maxsize=1)
def load_ec2_model() -> Any:
    """Load botocore's model of the EC2 API."""
    return open_session().get_service_model("ec2")
