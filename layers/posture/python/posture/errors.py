"""The exceptions that cross a module's edge. Each says what was expected and where."""

from __future__ import annotations


class PostureError(Exception):
    """Anything this package refuses to go on with."""


class MalformedChangeError(PostureError):
    """A record does not have the shape CloudTrail, EventBridge or SQS gives it."""


class BaselineError(PostureError):
    """A baseline says something that cannot be required; `mistakes` names each field."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


class WaiverError(PostureError):
    """A waiver cannot become what is asked of it."""


class SettingsError(PostureError):
    """The environment of a function misses a setting or holds a wrong one."""


class ScopeUnreadableError(PostureError):
    """Not even the VPC itself could be read, so nothing can be said of the scope."""


class ConflictError(PostureError):
    """Others kept writing the same scope; the same evaluation may succeed when tried again."""


class CorruptItemError(PostureError):
    """A stored item cannot be read back, so somebody must have edited it; names table and key."""


class MissingHistoryError(PostureError):
    """A commit was announced whose history cannot be found."""


class SweepIncompleteError(PostureError):
    """Some scopes of a region could not be recorded; a later sweep repairs them."""


def describe_error(error: BaseException) -> str:
    """Give an error, of ours or not, as the reason of a failure: its kind and what it says."""
    return f"{type(error).__name__}: {error}"
