"""A stack of an organization in one process: real handlers, joined as the template joins them.

The clock is simulated: an invocation takes the CPU seconds that it took here, scaled to its
function's memory, and assumed seconds of waiting for AWS. Waiting between retries takes no time.
"""
# ruff: noqa: E402 - the functions bind the clock when they are imported

import gc
import heapq
import json
import os
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

import shared_paths
from synthetic_aws import ACCOUNT, REGION, Json

import posture.runtime.clock

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


class Clock:
    """The simulated time, in seconds since the beginning."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the time."""
        return BEGIN + timedelta(seconds=self.seconds)

    def read_seconds(self) -> float:
        """Return the seconds."""
        return self.seconds


CLOCK = Clock()
# Before the functions are imported, which bind both.
setattr(posture.runtime.clock, "utc_now", CLOCK.now)  # noqa: B010 - replaces a function
with patch.object(time, "monotonic", CLOCK.read_seconds):
    import posture.store.watched_accounts

import botocore.endpoint
import botocore.session
from botocore.retries.bucket import TokenBucket
from lambda_environment import FULL_VCPU_MB, LAYER, SETTINGS
from synthetic_members import Account, Fault, MembersAws, VpcState
from synthetic_region import build_region

from change_records import build_record
from posture.model.member import MemberSource, MemberState
from posture.runtime import clients
from posture.store.members import MemberTable
from posture_cli.embedded.functions import EmbeddedFunction, InvocationContext
from stack_tables import TABLES
from stack_template import RESOURCES

BROKEN = 100  # one of so many accounts cannot be read
OPEN = 20  # one of so many accounts begins with a finding
SECOND_LOOK = 300.0  # DelaySeconds of SecondLooksQueue
EVENT_DELAY = 5.0  # from a call to its event, assumed
LATENCY = 0.03  # of a call
# Seconds that an invocation waits for AWS at this latency, beside its CPU.
WAITING = {"evaluate": 0.26, "sweep_member": 0.4, "sweep": 1.0, "notify": 0.2}
LOGICAL = {
    "evaluate": "EvaluateFunction",
    "sweep": "SweepFunction",
    "sweep_member": "SweepMemberFunction",
    "notify": "NotifyFunction",
}
MEMBERS = {"MEMBERS": "table", "MEMBER_ROLE_NAME": "posture-look", "MEMBER_EXTERNAL_ID": "external"}
Act = Callable[[], None]


@dataclass(slots=True)
class Usage:
    """What the invocations of a function took in one phase."""

    invocations: int = 0
    cpu: float = 0.0
    longest_cpu: float = 0.0
    seconds: float = 0.0  # simulated
    longest: float = 0.0
    read: float = 0.0
    write: float = 0.0
    timeouts: int = 0
    calls: Counter[str] = field(default_factory=Counter)


class Functions:
    """The functions of a stack in this process, and what they took by phase."""

    def __init__(self, aws: MembersAws) -> None:
        self._aws = aws
        self.phase = "start"
        self.usage: dict[str, dict[str, Usage]] = defaultdict(lambda: defaultdict(Usage))
        self.metrics: dict[str, list[float]] = defaultdict(list)
        self._slept: dict[int, float] = defaultdict(float)  # seconds between retries, by thread
        self._started = self._answering = 0.0
        self._name = ""
        settings = SETTINGS | MEMBERS | {"AWS_REGION": REGION}
        self.functions = {
            name: EmbeddedFunction(
                name, shared_paths.ROOT / "functions" / name / "app.py", settings, f"arn:{name}"
            )
            for name in LOGICAL
        }

    def load(self) -> None:
        """Load the functions' code, which is not to change while they run."""
        for each in self.functions.values():
            with patch.dict(os.environ, each._settings):  # noqa: SLF001
                each._load()  # noqa: SLF001

    def memory(self, name: str) -> int:
        """Return the MB of a function."""
        return int(RESOURCES[LOGICAL[name]]["Properties"]["MemorySize"])

    def invoke(self, name: str, event: Json, waiting: float) -> tuple[Any, float]:
        """Invoke a function; return its answer, None if it failed, and its simulated seconds."""
        aws = self._aws
        aws.calls.clear()
        aws.reset_meter()
        self._slept.clear()
        self._name, self._started, self._answering = name, time.process_time(), aws.answering
        try:
            answer = self.functions[name](event)
        except Exception:  # noqa: BLE001 - Lambda retries after any
            answer = None
        cpu = self._read_cpu()
        if set(aws.calls) == {"dynamodb:GetItem"}:  # a member that is not due
            waiting = LATENCY
        seconds = self._elapsed() + waiting
        used = self.usage[self.phase][name]
        if seconds > self._timeout(name):
            seconds, answer = self._timeout(name), None
            used.timeouts += 1
        used.invocations += 1
        used.cpu += cpu
        used.longest_cpu = max(used.longest_cpu, cpu)
        used.seconds += seconds
        used.longest = max(used.longest, seconds)
        used.read += aws.units["read"]
        used.write += aws.units["write"]
        used.calls.update(aws.calls)
        self._read_metrics(name)
        return answer, seconds

    def sleep(self, seconds: float) -> None:
        """Sleep between retries."""
        self._slept[threading.get_ident()] += seconds

    def remaining(self, _: InvocationContext) -> int:
        """Return the milliseconds that are left of an invocation."""
        return int(1000 * (self._timeout(self._name) - self._elapsed()))

    def _timeout(self, name: str) -> float:
        return float(RESOURCES[LOGICAL[name]]["Properties"]["Timeout"])

    def _read_cpu(self) -> float:
        spent = time.process_time() - self._started
        return spent - (self._aws.answering - self._answering)

    def _elapsed(self) -> float:
        """Return the simulated seconds of the invocation; threads sleep at the same time."""
        own = self._slept.get(threading.main_thread().ident or 0, 0.0)
        others = max([0.0, *self._slept.values()])
        share = min(1.0, self.memory(self._name) / FULL_VCPU_MB)
        return self._read_cpu() / share + max(own, others)

    def _read_metrics(self, name: str) -> None:
        log = self.functions[name].log
        for line in log.getvalue().splitlines():
            if line.startswith("{"):
                written = json.loads(line)
                for listed in written.get("_aws", {}).get("CloudWatchMetrics", []):
                    for metric in (each["Name"] for each in listed["Metrics"]):
                        self.metrics[metric] += written[metric]
        log.seek(0)
        log.truncate()


@dataclass(slots=True)
class Message:
    """A message of a queue."""

    record: Json
    receives: int = 0


class Queue:
    """A queue and its event source mapping: batches by window and size, a limit of invocations."""

    def __init__(self, simulation: "Simulation", event: str, queue: str) -> None:
        properties = RESOURCES["EvaluateFunction"]["Properties"]["Events"][event]["Properties"]
        self._simulation = simulation
        self._size: int = properties["BatchSize"]
        self._window: float = properties["MaximumBatchingWindowInSeconds"]
        limit = properties["ScalingConfig"]["MaximumConcurrency"]
        self._free: int = limit if isinstance(limit, int) else 5  # EvaluateConcurrency
        stored = RESOURCES[queue]["Properties"]
        self._timeout: float = stored["VisibilityTimeout"]
        self._receives: int = stored["RedrivePolicy"]["maxReceiveCount"]
        self._waiting: list[Message] = []
        self._closes: float | None = None  # when the window of the next batch does
        self.dead: list[Json] = []
        self.largest = 0

    def send(self, message: Message) -> None:
        """Make a message visible."""
        self._waiting.append(message)
        if len(self._waiting) == 1:
            self._closes = CLOCK.seconds + self._window
            self._simulation.at(self._closes, self._poll)
        elif len(self._waiting) == self._size:
            self._poll()

    def _poll(self) -> None:
        full = len(self._waiting) >= self._size
        due = self._closes is not None and CLOCK.seconds >= self._closes
        if not self._free or not self._waiting or not (full or due):
            return
        batch, self._waiting = self._waiting[: self._size], self._waiting[self._size :]
        self._closes = CLOCK.seconds + self._window if self._waiting else None
        if self._closes:
            self._simulation.at(self._closes, self._poll)
        self._free -= 1
        self._deliver(batch)

    def _deliver(self, batch: Sequence[Message]) -> None:
        self.largest = max(self.largest, len(batch))
        records = []
        for each in batch:
            each.receives += 1
            body = {"detail-type": "AWS API Call via CloudTrail", "detail": each.record}
            attributes = {"ApproximateReceiveCount": str(each.receives)}
            message = {"messageId": each.record["eventID"], "body": json.dumps(body)}
            records.append(message | {"attributes": attributes})
        # Four scopes are read at once; the ids of accounts are looked up one account after another.
        accounts = len({each.record["recipientAccountId"] for each in batch})
        waiting = WAITING["evaluate"] * (1 + len(batch) / 4) + 2 * LATENCY * accounts
        answer, seconds = self._simulation.functions.invoke(
            "evaluate", {"Records": records}, waiting
        )
        failed = (
            {each.record["eventID"] for each in batch}
            if answer is None
            else {each["itemIdentifier"] for each in answer["batchItemFailures"]}
        )
        self._simulation.at(CLOCK.seconds + seconds, self._end)
        for each in batch:
            if each.record["eventID"] not in failed:
                self._simulation.handle(each.record, CLOCK.seconds + seconds)
            elif each.receives >= self._receives:
                self.dead.append(each.record)
            else:
                again = CLOCK.seconds + self._timeout
                self._simulation.at(again, partial(self.send, each))

    def _end(self) -> None:
        self._free += 1
        self._poll()


class Stream:
    """A stream's shard and its event source mapping, with several batches at once."""

    def __init__(self, simulation: "Simulation", function: str, event: str) -> None:
        properties = RESOURCES[LOGICAL[function]]["Properties"]["Events"][event]["Properties"]
        self._simulation = simulation
        self._function = function
        self._size: int = properties["BatchSize"]
        self._window: float = properties.get("MaximumBatchingWindowInSeconds", 0)
        self._free: int = properties.get("ParallelizationFactor", 1)
        self._retries: int = properties["MaximumRetryAttempts"]
        self._waiting: list[Json] = []
        self._busy: set[str] = set()  # keys of which a record is under way
        self._asked = False
        self.given_up: list[Json] = []
        self._numbers = count(1)

    def add(self, key: str, record: Json) -> None:
        """Add a record of an item."""
        record["dynamodb"]["SequenceNumber"] = str(next(self._numbers))
        self._waiting.append(record | {"key": key})
        if not self._asked:
            self._asked = True
            self._simulation.at(CLOCK.seconds + self._window, self._poll)

    def _poll(self) -> None:
        self._asked = False
        while self._free:
            batch: list[Json] = []
            kept: list[Json] = []
            later = len(self._waiting)
            for at, record in enumerate(self._waiting):
                if len(batch) == self._size:
                    later = at
                    break
                (kept if record["key"] in self._busy else batch).append(record)
            if not batch:
                return
            self._waiting = kept + self._waiting[later:]
            self._free -= 1
            keys = {each["key"] for each in batch}
            if self._size == 1:
                self._busy |= keys
            self._deliver(batch, keys, self._retries)

    def _deliver(self, batch: list[Json], keys: set[str], retries: int) -> None:
        records = [{"dynamodb": each["dynamodb"]} for each in batch]
        answer, seconds = self._simulation.functions.invoke(
            self._function, {"Records": records}, WAITING[self._function]
        )
        self._simulation.note(self._function, keys, CLOCK.seconds + seconds)
        failed = answer is None or answer["batchItemFailures"]
        end = CLOCK.seconds + seconds
        if failed and retries:
            self._simulation.at(end, lambda: self._deliver(batch, keys, retries - 1))
            return
        if failed:
            self.given_up += batch
        self._simulation.at(end, lambda: self._end(keys))

    def _end(self, keys: set[str]) -> None:
        self._free += 1
        self._busy -= keys
        self._poll()


class Simulation:
    """A stack, its organization, and what happens in it, in the order of a simulated clock."""

    def __init__(self, accounts: int, large: int, seed: int = 1) -> None:
        _, aws = build_region(large, MembersAws)
        assert isinstance(aws, MembersAws)
        self.aws = aws
        self.random = random.Random(seed)  # noqa: S311 - which account changes
        self._events: list[tuple[float, int, Act]] = []
        self._numbers = count()
        self.made: list[tuple[float, Account, int, Json]] = []
        self.handled: dict[str, float] = {}
        self.delays: dict[str, float] = {}  # from a call to its first evaluation, by event
        self.round_seconds: dict[str, float] = {}  # until the last member of a sweep was done
        self._swept: dict[str, datetime] = {}  # when the last sweep of an account began
        self._asked_at = 0.0
        aws.accounts = {ACCOUNT: Account(ACCOUNT, 0)}
        for number in range(1, accounts + 1):
            account = Account(f"2{number:011}", number)
            account.states[0].open = number % OPEN == 1
            aws.accounts[account.id] = account
        self.large = Account("300000000000", accounts + 1, vpcs=large)
        aws.accounts[self.large.id] = self.large
        self.members = [each for each in aws.accounts.values() if each.id != ACCOUNT]
        broken = max(len(Fault), accounts // BROKEN)
        for at, each in enumerate(self.members[: -1 : accounts // broken][:broken]):
            each.fault = list(Fault)[at % 3]
        self.longest_between_sweeps = 0.0  # of an account that can always be read
        self.ever_failed = {each.id for each in self.members if each.fault}
        self.functions = Functions(aws)
        connect(aws, self.functions)
        self.functions.load()
        self.table = MemberTable(clients.dynamodb(), TABLES.baseline)
        self.changes = Queue(self, "Changes", "ChangesQueue")
        self.second = Queue(self, "SecondLooks", "SecondLooksQueue")
        self.member_stream = Stream(self, "sweep_member", "Members")
        self.findings_stream = Stream(self, "notify", "Findings")

    def begin(self, phase: str) -> None:
        """Begin a phase, whose figures are kept apart."""
        self.functions.phase = phase
        # As build_region does: what one phase wrote is not walked in the next ones, whose garbage
        # is collected the more seldom, the more there is to walk.
        gc.collect()
        gc.freeze()
        print(f"{time.process_time():.0f} s of CPU: {phase}", file=sys.stderr, flush=True)

    def note(self, function: str, keys: Collection[str], end: float) -> None:
        """Note when members were swept, and how long after their last sweep."""
        if function != "sweep_member":
            return
        phase = self.functions.phase
        self.round_seconds[phase] = max(self.round_seconds.get(phase, 0), end - self._asked_at)
        for account in keys:
            item = self.aws.tables["baseline"]["member"][account]
            written = item["swept_at"] if "swept_at" in item else item["since"]
            swept = datetime.fromisoformat(str(written["S"]))
            before = self._swept.setdefault(account, swept)
            self._swept[account] = swept
            if account not in self.ever_failed:
                seconds_between = (swept - before).total_seconds()
                self.longest_between_sweeps = max(self.longest_between_sweeps, seconds_between)

    def handle(self, record: Json, seconds: float) -> None:
        """Note that a change was evaluated."""
        event = record["eventID"]
        if event not in self.handled:
            self.handled[event] = seconds
            self.delays[event] = seconds - self.made[int(event[-12:], 16)][0]

    def name_vpc(self, account: Account, vpc: int) -> str:
        """Return the scope of a VPC."""
        name = self.find_id("DescribeVpcs", "VpcId", account.end_of_ids(vpc))
        return f"{account.id}/{REGION}/{name}"

    def at(self, seconds: float, act: Act) -> None:
        """Do something at a time."""
        heapq.heappush(self._events, (seconds, next(self._numbers), act))

    def run(self, until: float = float("inf")) -> None:
        """Let everything happen until a time, or until nothing happens any more."""
        while self._events and self._events[0][0] <= until:
            CLOCK.seconds, _, act = heapq.heappop(self._events)
            act()
            self._flow()
        if until < float("inf"):
            CLOCK.seconds = until

    def _flow(self) -> None:
        """Hand what was written to the streams on."""
        streamed, self.aws.member_stream = self.aws.member_stream, []
        for account in streamed:
            keys = {"kind": {"S": "member"}, "name": {"S": account}}
            self.member_stream.add(account, {"dynamodb": {"Keys": keys}})
        images, self.aws.findings_stream = self.aws.findings_stream, []
        for image in images:
            self.findings_stream.add(image["scope"]["S"], {"dynamodb": {"NewImage": image}})

    def name(self, *accounts: Account, state: MemberState = MemberState.ACTIVE) -> None:
        """Make accounts members, or let them leave, as the state machine does."""
        for each in accounts:
            self.table.put(each.id, state, MemberSource.ORGANIZATION, CLOCK.now())
        self._flow()

    def sweep(self) -> None:
        """Invoke the scheduled sweep, and again as Lambda does."""
        self._asked_at = CLOCK.seconds
        for _ in range(3):
            answer, _seconds = self.functions.invoke("sweep", {}, WAITING["sweep"])
            self._flow()
            if answer is not None:
                return

    def change(self, account: Account) -> None:
        """Change a VPC of an account, and let the event of the call come."""
        number = len(self.made)
        vpc = self.random.randrange(account.vpcs)
        end = account.end_of_ids(vpc)
        call, request = "ModifyVpcAttribute", {"vpcId": self.find_id("DescribeVpcs", "VpcId", end)}
        if account.is_small and self.random.random() < 0.7:
            state = account.states[vpc]
            call, request = self._edit(state, end)
        record = build_record(
            call,
            request,
            {"_return": True},
            eventID=f"00000000-0000-0000-0000-{number:012x}",
            eventTime=f"{CLOCK.now():%Y-%m-%dT%H:%M:%SZ}",
            recipientAccountId=account.id,
            userIdentity={
                "type": "AssumedRole",
                "arn": f"arn:aws:sts::{account.id}:assumed-role/NetworkAdmin/alice",
                "accountId": account.id,
            },
        )
        self.made.append((CLOCK.seconds, account, vpc, record))
        arrives = CLOCK.seconds + EVENT_DELAY
        self.at(arrives, lambda: self.changes.send(Message(record)))
        self.at(arrives + SECOND_LOOK, lambda: self.second.send(Message(record)))

    def _edit(self, state: VpcState, end: str) -> tuple[str, Json]:
        """Change a VPC; return the call and its request."""
        if self.random.random() < 0.5:
            state.open = not state.open
            call = "AuthorizeSecurityGroupIngress" if state.open else "RevokeSecurityGroupIngress"
            group = self.find_id("DescribeSecurityGroups", "GroupId", end, GroupName="g0")
            return call, {"groupId": group}
        state.routed = not state.routed
        call = "CreateRoute" if state.routed else "DeleteRoute"
        table = self.aws.table_with_default_route
        return call, {"routeTableId": table[:-6] + end, "destinationCidrBlock": "0.0.0.0/0"}

    def find_id(self, operation: str, name: str, end: str, **having: str) -> str:
        """Return the id of a resource of a VPC by the end of its ids."""
        row = next(
            each
            for each in self.aws.rows(operation)
            if all(each[key] == value for key, value in having.items())
        )
        return str(row[name])[:-6] + end


def connect(aws: MembersAws, functions: Functions) -> None:
    """Let the functions' clients call this AWS, and wait in simulated time."""
    os.environ.update(SETTINGS | MEMBERS | {"AWS_DATA_PATH": str(LAYER / "posture/models")})
    open_session = botocore.session.get_session

    def open_connected() -> Any:
        opened = open_session()
        opened.get_component("event_emitter").register_first("before-send", aws._intercept)  # noqa: SLF001
        return opened

    class Time:
        """The time module of botocore's retries."""

        sleep = staticmethod(functions.sleep)

    def acquire(bucket: Any, amount: float = 1, block: bool = True) -> bool:  # noqa: ARG001
        """Take a token; an empty bucket is waited for in simulated time."""
        with bucket._new_fill_rate_condition:  # noqa: SLF001
            bucket._refill()  # noqa: SLF001
            functions.sleep(max(0.0, bucket._sleep_amount(amount)))  # noqa: SLF001
            bucket._current_capacity = max(0.0, bucket._current_capacity - amount)  # noqa: SLF001
        return True

    def remaining(context: InvocationContext) -> int:
        return functions.remaining(context)

    for owner, name, new in (
        (clients, "get_session", open_connected),
        (botocore.endpoint, "time", Time),
        (TokenBucket, "acquire", acquire),
        (InvocationContext, "get_remaining_time_in_millis", remaining),
    ):
        setattr(owner, name, new)


def find_findings(items: Json, *statuses: str) -> set[str]:
    """Return the rules of the findings of a scope that have a status."""
    return {
        each["rule"]["S"]
        for each in items.values()
        if "rule" in each and each.get("status", {}).get("S") in statuses
    }
