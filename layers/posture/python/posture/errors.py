"""The exceptions that callers of this package handle. Each message says what was expected where."""

from __future__ import annotations


class PostureError(Exception):
    """The base class of this package's exceptions."""


class MalformedChangeError(PostureError):
    """A record does not have the form that CloudTrail, EventBridge or SQS gives it."""


class BaselineError(PostureError):
    """A baseline is invalid; `mistakes` names each field."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class WaiverError(PostureError):
    """A waiver cannot be requested, approved or revoked as asked."""


class SettingsError(PostureError):
    """The environment of a function lacks a setting or holds an invalid one."""


class ScopeUnreadableError(PostureError):
    """The VPC itself could not be read, so none of its rules can be evaluated."""


class ConflictError(PostureError):
    """Concurrent writes to the same scope kept failing this one; a later retry may succeed."""


class OutdatedFactsError(PostureError):
    """A scope was evaluated with later facts of the shared network meanwhile."""


class CorruptItemError(PostureError):
    """A stored item cannot be parsed, so it was edited by hand; the message names table and key."""


class MissingHistoryError(PostureError):
    """The history of a recorded commit was not found."""


class SweepIncompleteError(PostureError):
    """Some scopes of a region could not be recorded; a later sweep will record them."""


class SurveyIncompleteError(PostureError):
    """Parts of the shared network could not be read; a later survey will read them."""


class EditError(PostureError):
    """A change of a network cannot be read, or cannot be applied to a snapshot."""


class MalformedRequestError(EditError):
    """A request to EC2 is not understood; the message names the field and what was expected."""


class RefusedEditError(EditError):
    """EC2 would refuse a request; `code` is EC2's error code, such as `RouteAlreadyExists`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class UndecidedEditError(EditError):
    """The effect of a request depends on what the snapshot does not hold; the message names it."""


def describe_error(error: BaseException) -> str:
    """Describe an error of any kind by its type and message."""
    return f"{type(error).__name__}: {error}"
