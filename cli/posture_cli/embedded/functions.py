"""Run the stack's Lambda functions in this process."""

import importlib.util
import io
import logging
import os
import sys
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO
from unittest.mock import patch

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from posture_cli.embedded.cloudtrail import JsonObject


@dataclass(frozen=True, slots=True)
class InvocationContext:
    """The context object of an invocation."""

    function_name: str
    invoked_function_arn: str
    memory_limit_in_mb: int = 512
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Return a constant: no invocation here comes near its timeout."""
        return 60_000


class EmbeddedFunction:
    """One function: its `app.py`, loaded once and called with its own environment variables.

    Its log lines, which include its metrics, go to `log`.
    """

    def __init__(self, name: str, app: Path, settings: Mapping[str, str], arn: str) -> None:
        self.name = name
        self.log = io.StringIO()
        self._app = app
        self._settings = settings
        self.arn = arn
        self._module: ModuleType | None = None

    def __call__(self, event: JsonObject) -> Any:
        """Invoke the handler; its exceptions are logged, as Lambda logs them, and not caught."""
        with patch.dict(os.environ, self._settings), redirect_stdout(self.log):
            try:
                handler: Callable[[JsonObject, InvocationContext], Any] = self._load().handler
                _redirect_loggers(self.log)
                return handler(event, InvocationContext(self.name, self.arn))
            except Exception:
                self.log.write(f"[ERROR] {traceback.format_exc()}")
                raise

    def _load(self) -> ModuleType:
        if self._module is None:
            spec = importlib.util.spec_from_file_location(
                f"embedded_{self._app.parent.name}", self._app
            )
            if spec is None or spec.loader is None:
                raise FileNotFoundError(2, "no such handler", str(self._app))
            module = importlib.util.module_from_spec(spec)
            # Bytecode beside the handler would be deployed with it.
            with patch.object(sys, "dont_write_bytecode", new=True):
                spec.loader.exec_module(module)
            self._module = module
        return self._module


def _redirect_loggers(stream: TextIO) -> None:
    """Redirect the functions' loggers, which keep the stream they were created with."""
    for logger in logging.root.manager.loggerDict.values():
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler.formatter, LambdaPowertoolsFormatter):
                handler.setStream(stream)
