"""A labelled case: one resource, one question about it, the right answer and why it is right."""

from __future__ import annotations

from dataclasses import dataclass

ACCOUNT, PARTNER, FOREIGN = "111122223333", "222233334444", "999900009999"
HOME = "eu-west-1"  # the region in which most set-ups stand


@dataclass(frozen=True)
class Case:
    """One resource, and whether the question about it is answered by yes.

    Attributes:
        question: a name of `questions.QUESTIONS`.
        name: what is special about the set-up.
        resources: the ids by which tools may call it; one tool judges an endpoint where another
            one judges its security group or its VPC.
        bad: whether the answer is yes.
        why: what makes that answer right, in AWS's own terms, with the page that says so.
        paper: what Security Hub's control says by its documentation: `bad`, `good`, `not told`;
            empty where it has no control.
        region: where it stands; a set-up at which a tool breaks off stands in a region alone.
    """

    question: str
    name: str
    resources: frozenset[str]
    bad: bool
    why: str
    paper: str = ""
    region: str = HOME
