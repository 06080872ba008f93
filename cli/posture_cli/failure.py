"""What went wrong, as a sentence for the person at the terminal."""

from __future__ import annotations

from typing import Any

from posture.errors import PostureError
from posture_cli.text import printable

CREDENTIALS = "check the AWS credentials of this shell, with: aws sts get-caller-identity"
SENTENCES = {  # botocore's exceptions, by name, so that no verb imports botocore for its mistakes
    "NoCredentialsError": f"no AWS credentials found; {CREDENTIALS}",
    "PartialCredentialsError": f"the AWS credentials are incomplete; {CREDENTIALS}",
    "NoRegionError": "no region given; use --region or set AWS_REGION",
    "TokenRetrievalError": "the sign-in has expired; sign in again with: aws sso login",
    "SSOTokenLoadError": "not signed in; sign in with: aws sso login",
    "UnauthorizedSSOTokenError": "the sign-in has expired; sign in again with: aws sso login",
}
CODES = {  # error codes of AWS
    "ExpiredToken": f"the AWS credentials have expired; {CREDENTIALS}",
    "ExpiredTokenException": f"the AWS credentials have expired; {CREDENTIALS}",
    "RequestExpired": f"the AWS credentials have expired, or the clock is wrong; {CREDENTIALS}",
    "AuthFailure": f"AWS does not know these credentials; {CREDENTIALS}",
    "InvalidClientTokenId": f"AWS does not know these credentials; {CREDENTIALS}",
    "UnrecognizedClientException": f"AWS does not know these credentials; {CREDENTIALS}",
    "ResourceNotFoundException": (
        "there is no such table in this region; say which stack or region with --stack and --region"
    ),
    "SignatureDoesNotMatch": f"AWS does not accept the secret key; {CREDENTIALS}",
}
UNREACHED = frozenset({"HTTPClientError", "ConnectionError", "HTTPError"})  # botocore, urllib3
MODULES = ("botocore.", "boto3.", "urllib3.")


def sentence(error: BaseException) -> str | None:
    """Say what went wrong, or nothing where this is a mistake of ours."""
    if isinstance(error, PostureError):
        return printable(error)
    if type(error).__module__.startswith(MODULES):  # some of which are an OSError, too
        return printable(_aws(error))
    if isinstance(error, OSError):
        return printable(f"{error.filename or 'cannot read or write'}: {error.strerror or error}")
    return None


def _aws(error: Any) -> str:
    if hasattr(error, "response"):
        code = error.response.get("Error", {}).get("Code", "")
        return CODES.get(code) or f"AWS refused {error.operation_name}: {error}"
    names = [kind.__name__ for kind in type(error).__mro__]
    known = next((SENTENCES[name] for name in names if name in SENTENCES), None)
    unreached = "AWS cannot be reached: " if UNREACHED.intersection(names) else ""
    return known or f"{unreached}{error}"
