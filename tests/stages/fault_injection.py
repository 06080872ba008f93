"""Faults at every AWS call: one hook in botocore sees all of them, today's and tomorrow's."""

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError

Json = dict[str, Any]
Point = int | str  # a run's call by its number, or the first one of an operation by its name


class Killed(BaseException):
    """The process died here: nothing in it may catch this, as nothing can catch a SIGKILL."""


class Fault(StrEnum):
    """What can happen to a call."""

    KILLED_BEFORE = "killed before the call"
    KILLED_AFTER = "killed after the call was carried out"
    THROTTLED = "throttled"
    TIMED_OUT_BEFORE = "timed out, not carried out"
    TIMED_OUT_AFTER = "timed out, carried out"
    DENIED = "access denied"
    CONFLICT = "transaction conflict"
    CONDITION = "carried out, then its own repeat fails the condition"
    STALE = "an older answer"

    def fits(self, call: "Call") -> bool:
        """Whether this can happen to a call."""
        if self is Fault.STALE:
            return call.lags
        if self is Fault.CONFLICT:
            return call.name in {"TransactWriteItems", "UpdateItem", "PutItem", "DeleteItem"}
        if self is Fault.CONDITION:
            return call.conditional
        return True


Strikes = Mapping[Point, Fault]

AFTER = frozenset({Fault.KILLED_AFTER, Fault.TIMED_OUT_AFTER, Fault.CONDITION, Fault.STALE})
DEADLY = frozenset({Fault.KILLED_BEFORE, Fault.KILLED_AFTER})
THROTTLES = {"ec2": "RequestLimitExceeded", "dynamodb": "ThrottlingException", "sns": "Throttled"}
DENIALS = {
    "ec2": "UnauthorizedOperation",
    "sns": "AuthorizationError",
    "sts": "AccessDenied",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One call that a run made, as far as faults care. `body` is what went over the wire."""

    service: str
    name: str
    body: str

    @property
    def lags(self) -> bool:
        """Whether its answer may be of the past."""
        reads = self.name.startswith(("Describe", "Get", "Query", "List"))
        return reads and '"ConsistentRead": true' not in self.body

    @property
    def conditional(self) -> bool:
        """Whether its own repeat could fail its condition; a transaction has a token against it."""
        return '"ConditionExpression"' in self.body and self.name != "TransactWriteItems"


@dataclass
class Run:
    """One invocation of a function: what shall happen at which of its calls, and what did.

    `meanwhile` is what other invocations do just before a call, as if they ran beside this one.
    """

    name: str
    faults: Strikes = field(default_factory=dict)
    meanwhile: Mapping[Point, Callable[[], object]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    carried_out: set[int] = field(default_factory=set)
    met: dict[int, Fault] = field(default_factory=dict)
    dead: bool = False

    def begin(self, call: Call) -> tuple[int, Fault | None, Callable[[], object] | None]:
        """Count a call; return its number, its fault and what happens meanwhile."""
        number, names = len(self.calls), {each.name for each in self.calls}
        self.calls.append(call)
        points: list[Point] = [number] if call.name in names else [number, call.name]
        faults = [self.faults[each] for each in points if each in self.faults]
        others = [self.meanwhile[each] for each in points if each in self.meanwhile]
        return number, faults[0] if faults else None, others[0] if others else None

    @property
    def misled(self) -> bool:
        """Whether it read an answer that is outdated, or none."""
        return not {Fault.STALE, Fault.DENIED}.isdisjoint(self.met.values())


class Injector:
    """Sees each call of the clients of one session, and lets happen what the run wants."""

    def __init__(self, session: boto3.Session) -> None:
        self.follow(session.events)
        self._runs: list[Run] = []
        self._answers: dict[Call, list[Json]] = {}
        self.runs: Counter[str] = Counter()
        self.calls = 0
        self.points: Counter[tuple[str, str, Fault]] = Counter()
        self.ends: Counter[str] = Counter()  # what became of runs, messages, alerts and stories

    def follow(self, events: Any) -> None:
        """Also inject faults into the clients with these events."""
        events.register("before-call", self._before)
        events.register("after-call", self._after)

    def forget(self) -> None:
        """Forget older answers, as the sample network was replaced."""
        self._answers.clear()

    @contextmanager
    def running(self, run: Run) -> Iterator[Run]:
        """Let the calls inside be this run's, until it is killed or done."""
        self._runs.append(run)
        self.runs[run.name] += 1
        try:
            yield run
            self.ends["invocations returned"] += 1
        except Killed:
            run.dead = True
            self.ends["invocations were killed"] += 1
        except Exception:
            self.ends["invocations raised an error"] += 1
            raise
        finally:
            self._runs.remove(run)
            self.calls += len(run.calls)
            self.points.update(
                (run.name, f"{run.calls[at].service}:{run.calls[at].name}", fault)
                for at, fault in run.met.items()
            )

    def _before(self, model: Any, params: Json, context: Json, **_: Any) -> Any:
        if not self._runs:
            return None
        run = self._runs[-1]
        if run.dead:
            raise Killed  # a thread that the kill has not reached yet
        body = params.get("body", b"")
        text = body.decode() if isinstance(body, bytes) else repr(sorted(body.items()))
        call = Call(model.service_model.service_name, model.name, text)
        number, fault, others = run.begin(call)
        context["faulty-call"] = (run, number, fault)
        if others:
            others()
        if fault is None or fault in AFTER or not fault.fits(call):
            return None
        run.met[number] = fault
        return self._strike(run, fault, call)

    def _after(self, http_response: Any, parsed: Json, context: Json, **_: Any) -> None:
        if "faulty-call" not in context:
            return
        run, number, fault = context.pop("faulty-call")
        call = run.calls[number]
        if number in run.met:
            return  # refused beforehand
        older: Json | None = None
        if http_response.status_code < 300:
            run.carried_out.add(number)
            older = self._older(call, parsed)
        if fault is None or fault not in AFTER or not fault.fits(call):
            return
        if fault is Fault.STALE:
            if older is None:
                return
            parsed.clear()
            parsed.update(copy.deepcopy(older))
        run.met[number] = fault
        if fault is not Fault.STALE:
            refused = self._strike(run, fault, call)
            http_response.status_code = refused[0].status_code
            parsed.clear()
            parsed.update(refused[1])

    def _older(self, call: Call, parsed: Json) -> Json | None:
        """Return the last different answer to the same request, and keep this one."""
        if not call.lags:
            return None
        kept = self._answers.setdefault(call, [])
        if not kept or not _same(kept[-1], parsed):
            kept[:] = [*kept[-1:], copy.deepcopy(parsed)]
        return kept[0] if len(kept) > 1 else None

    def _strike(self, run: Run, fault: Fault, call: Call) -> tuple[AWSResponse, Json]:
        if fault in DEADLY:
            run.dead = True
            raise Killed
        if fault in {Fault.TIMED_OUT_BEFORE, Fault.TIMED_OUT_AFTER}:
            raise ReadTimeoutError(endpoint_url=call.service)
        return _refusal(fault, call)


def _same(one: Json, other: Json) -> bool:
    """Whether two answers are the same but for the metadata of the request."""
    metadata = {"ResponseMetadata": None}
    return one | metadata == other | metadata


def _refusal(fault: Fault, call: Call) -> tuple[AWSResponse, Json]:
    """Return the response with which AWS refuses a call, as botocore parses it."""
    more: Json = {}
    if fault is Fault.THROTTLED:
        code = THROTTLES.get(call.service, "ThrottlingException")
    elif fault is Fault.DENIED:
        code = DENIALS.get(call.service, "AccessDeniedException")
    elif fault is Fault.CONDITION:
        code = "ConditionalCheckFailedException"
    elif call.name == "TransactWriteItems":
        code = "TransactionCanceledException"
        more = {"CancellationReasons": [{"Code": "TransactionConflict"}]}
    else:
        code = "TransactionConflictException"
    parsed = {
        "Error": {"Code": code, "Message": "as the test wants it"},
        "ResponseMetadata": {"HTTPStatusCode": 400},
        **more,
    }
    return AWSResponse(call.service, 400, HTTPHeaders(), None), parsed
