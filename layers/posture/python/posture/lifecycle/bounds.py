"""The limits on a finding's texts, so that items, transactions and messages stay within AWS's.

Verdicts are bounded before they are compared, so that a stored and a new verdict on the same facts
are equal. Bounding is idempotent. A DynamoDB item holds 400 KB, a transaction 4 MB:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from posture.model.verdict import Evidence, Remediation, Verdict

SUMMARY = 1_000  # bytes, as are all sizes here
SENTENCE = 1_000
COMMAND = 4_000
KEY = 100
VALUE = 1_000
FIELDS = 20
FACTS = 40
FACTS_IN_ALL = 24_000
CONCERNS = 500
CONCERN = 256
RESOURCE = 512
ROOT = 300

CUT = "…"
LEFT_OUT = "left_out"  # the field of the last fact that holds how many are left out


def bound_verdict(verdict: Verdict) -> Verdict:
    """Return the verdict with every text within its limit, and how many facts are left out.

    The alternatives are left out: only the remediation is reported.
    """
    return replace(
        verdict,
        resource=bound_resource(verdict.resource),
        summary=truncate(verdict.summary, SUMMARY),
        evidence=_evidence(verdict.evidence),
        remediation=bound_remediation(verdict.remediation),
        root=truncate(verdict.root, ROOT),
        concerns=frozenset(truncate(each, CONCERN) for each in sorted(verdict.concerns)[:CONCERNS]),
        alternatives=(),
    )


def bound_report(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """Bound verdicts that are reported together, each as it is stored, except its command.

    One that is too long to be stored is given once, however many verdicts it resolves: the others
    name the first of them. So what is reported grows with the verdicts, not with their square.
    """
    given: dict[str, Verdict] = {}
    for verdict in verdicts:
        bounded, whole = bound_verdict(verdict), verdict.remediation
        if whole and bounded.remediation and whole.command and not bounded.remediation.command:
            first = given.setdefault(whole.command, verdict)
            text, proof = bounded.remediation.text, truncate(whole.verified, SENTENCE)
            remedy = Remediation(text, whole.command, proof)
            if first is not verdict:
                where = bound_resource(first.resource)
                named = f"The command of {first.rule} for {where} resolves this."
                room = max(0, SENTENCE - len(named.encode()) - 1)
                remedy = Remediation(f"{truncate(text, room)} {named}".strip())
            bounded = replace(bounded, remediation=remedy)
        yield bounded


def bound_resource(resource: str) -> str:
    """Return the resource of a finding as it is stored."""
    return truncate(resource, RESOURCE)


def is_truncated(verdict: Verdict) -> bool:
    """Whether facts are left out of a bounded verdict."""
    return any(LEFT_OUT in fact.record for fact in verdict.evidence[-1:])


def truncate(text: str, limit: int) -> str:
    """Return text of at most `limit` bytes in UTF-8, with an ellipsis where it was truncated.

    A lone surrogate, which JSON can contain and UTF-8 cannot, becomes a question mark.
    """
    if len(text) <= limit and text.isascii():
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    kept = encoded[: limit - len(CUT.encode())]
    return kept.decode("utf-8", "ignore") + CUT


def _evidence(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    facts = tuple(
        Evidence(truncate(each.text, SENTENCE), _record(each.record)) for each in evidence
    )
    if len(facts) <= FACTS and sum(map(_size, facts)) <= FACTS_IN_ALL:
        return facts
    # Which facts are kept must not depend on the order in which EC2 lists them.
    kept: list[Evidence] = []
    room = FACTS_IN_ALL - SENTENCE
    for fact in sorted(facts, key=lambda each: (each.text, sorted(each.record.items()))):
        room -= _size(fact)
        if room < 0 or len(kept) == FACTS - 1:
            break
        kept.append(fact)
    missing = str(len(facts) - len(kept))
    return (*kept, Evidence(f"{missing} more facts are left out.", {LEFT_OUT: missing}))


def _record(record: Mapping[str, str]) -> dict[str, str]:
    return {
        truncate(key, KEY) or "-": truncate(record[key], VALUE)  # DynamoDB refuses an empty name
        for key in sorted(record)[:FIELDS]
    }


def bound_remediation(remediation: Remediation | None) -> Remediation | None:
    """Return a remediation with every text within its limit; a longer command is left out."""
    if remediation is None:
        return None
    command = remediation.command.encode("utf-8", "replace").decode()
    verified = truncate(remediation.verified, SENTENCE)
    if len(command.encode()) > COMMAND:
        # A truncated command could be run by mistake.
        command = verified = ""
    return Remediation(truncate(remediation.text, SENTENCE), command, verified)


def _size(fact: Evidence) -> int:
    fields = sum(len(key.encode()) + len(value.encode()) for key, value in fact.record.items())
    return len(fact.text.encode()) + fields
