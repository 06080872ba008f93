"""Sweeps that failed with all their retries: one new sweep does the work of them all."""

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


class SweepStarter:
    """Starts the sweep, once however often it is asked to."""

    def __init__(self, function: DeployedFunction) -> None:
        self._function = function
        self._started = False

    def __call__(self) -> str:
        """Give "" once a sweep is started, else why it is not.

        It runs by itself; if it fails in the end, Lambda puts a new letter where the old one lay.
        """
        if not self._started and (problem := self._function.start()):
            return problem
        self._started = True
        return ""


class SweepDeadLetters:
    """Dead letters of the sweep function: Lambda's record of the failed invocation."""

    outcome = "swept for"

    def __init__(self, sweep: SweepStarter) -> None:
        self._sweep = sweep

    def describe(self, message: DeadLetterMessage) -> Mapping[str, Any]:
        """Give where and when it failed."""
        return describe_invocation(message, "sweep")

    def explain(self, message: DeadLetterMessage) -> str:
        """Give what the sweep itself raised: it names each scope that it could not record."""
        return describe_failure(message)

    def reprocess(self, message: DeadLetterMessage) -> str:  # noqa: ARG002 - any sweep looks at everything
        """Start a sweep, once for all."""
        return self._sweep()
