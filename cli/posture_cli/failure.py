"""Describes an error in one sentence for the person at the terminal."""

from typing import Any

from posture.errors import PostureError
from posture_cli.text import make_printable

CREDENTIALS = "check the AWS credentials of this shell, with: aws sts get-caller-identity"
SENTENCES = {  # botocore's exceptions, by name, so that this module does not import botocore
    "NoCredentialsError": f"no AWS credentials found; {CREDENTIALS}",
    "PartialCredentialsError": f"the AWS credentials are incomplete; {CREDENTIALS}",
    "NoRegionError": "no Region given; use --region or set AWS_REGION",
    "TokenRetrievalError": "the sign-in has expired; sign in again with: aws sso login",
    "SSOTokenLoadError": "not signed in; sign in with: aws sso login",
    "UnauthorizedSSOTokenError": "the sign-in has expired; sign in again with: aws sso login",
}
CODES = {  # error codes of AWS
    "ExpiredToken": f"the AWS credentials have expired; {CREDENTIALS}",
    "ExpiredTokenException": f"the AWS credentials have expired; {CREDENTIALS}",
    "RequestExpired": f"the AWS credentials have expired, or the clock is wrong; {CREDENTIALS}",
    "AuthFailure": f"AWS does not accept these credentials; {CREDENTIALS}",
    "InvalidClientTokenId": f"AWS does not accept these credentials; {CREDENTIALS}",
    "UnrecognizedClientException": f"AWS does not accept these credentials; {CREDENTIALS}",
    "ResourceNotFoundException": (
        "the table does not exist in this region; name the stack or region: --stack, --region"
    ),
    "SignatureDoesNotMatch": f"AWS does not accept the secret access key; {CREDENTIALS}",
}
UNREACHABLE = frozenset({"HTTPClientError", "ConnectionError", "HTTPError"})  # botocore, urllib3
MODULES = ("botocore.", "boto3.", "urllib3.")


class CommandError(PostureError):
    """What the command needs does not exist or cannot be read; the message says what."""


def describe_failure(error: BaseException) -> str | None:
    """Return one sentence about an error, or None if it is a bug of this program."""
    if isinstance(error, PostureError):
        return make_printable(error)
    if type(error).__module__.startswith(MODULES):  # some are subclasses of OSError
        return make_printable(_describe_aws_error(error))
    if isinstance(error, OSError):
        return make_printable(
            f"{error.filename or 'cannot read or write'}: {error.strerror or error}"
        )
    return None


def _describe_aws_error(error: Any) -> str:
    if getattr(error, "response", None):  # None where no answer came
        code = error.response.get("Error", {}).get("Code", "")
        return CODES.get(code) or f"AWS refused {error.operation_name}: {error}"
    names = [kind.__name__ for kind in type(error).__mro__]
    known = next((SENTENCES[name] for name in names if name in SENTENCES), None)
    unreachable = "AWS cannot be reached: " if UNREACHABLE.intersection(names) else ""
    return known or f"{unreachable}{error}"
