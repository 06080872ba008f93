"""A labelled case: one resource, one question about it, the correct answer and its reason."""

from dataclasses import dataclass

ACCOUNT, PARTNER, UNTRUSTED = "111122223333", "222233334444", "999900009999"
HOME = "eu-west-1"  # the region of most cases


@dataclass(frozen=True)
class LabelledCase:
    """One resource, and whether the answer to a question about it is yes.

    Attributes:
        question: a key of `questions.QUESTIONS`.
        name: what distinguishes the case.
        resources: the ids that tools can report; one tool reports the endpoint where another
            reports its security group or VPC.
        bad: whether the correct answer is yes.
        why: the reason in AWS's terms, with the page.
        paper: what Security Hub's control answers by its documentation: `bad`, `good`, `silent`;
            empty where it has no control.
        region: a case that makes some tool's check break off is alone in a region.
    """

    question: str
    name: str
    resources: tuple[str, ...]
    bad: bool
    why: str
    paper: str = ""
    region: str = HOME
