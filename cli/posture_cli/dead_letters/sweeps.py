"""Dead letters of the sweep function: sweeps that failed after all retries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from posture_cli.dead_letters.functions import (
    DeployedFunction,
    describe_failure,
    describe_invocation,
)

if TYPE_CHECKING:
    from posture_cli.dead_letters.queue import DeadLetterMessage


class SweepDeadLetters:
    """Lambda's records of failed sweeps; one new sweep makes up for all of them."""

    outcome = "covered by a new sweep"

    def __init__(self, sweep: DeployedFunction) -> None:
        self._sweep = sweep

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Return where and when the sweep failed."""
        return describe_invocation(message, "sweep")

    def explain(self, message: DeadLetterMessage) -> str:
        """Return the sweep's own error, which names the scopes that it could not record."""
        return describe_failure(message)

    def reprocess(self, message: DeadLetterMessage) -> str:  # noqa: ARG002 - one sweep serves all
        """Start a sweep, unless one was started before."""
        return self._sweep.start_once()
