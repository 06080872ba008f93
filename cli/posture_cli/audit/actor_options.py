"""The options `--actor` and `--as`, the same in every command that has them."""

from dataclasses import dataclass
from typing import Annotated

import typer

from posture.model.finding import Finding
from posture_cli.audit.actors import EXPECTED, ActorFilter, ActorRole
from posture_cli.command import OptionGroup
from posture_cli.options import option
from posture_cli.text import make_printable


def _parse_actor(text: str) -> ActorFilter:
    try:
        return ActorFilter.parse(text)
    except ValueError as error:
        raise typer.BadParameter(make_printable(error)) from None


ActorOption = Annotated[
    ActorFilter | None, option("ACTOR", f"Who caused it: {EXPECTED}.", parser=_parse_actor)
]


@dataclass(frozen=True)
class ActorOptions(OptionGroup):
    """Who opened, resolved or changed a finding."""

    actor: ActorOption = None
    role: Annotated[
        ActorRole,
        option("|".join(ActorRole), "What the actor did to the finding.", "--as"),
    ] = ActorRole.ANY

    def matches(self, finding: Finding) -> bool:
        """Whether no actor is given, or the one that is given is the finding's."""
        return self.actor is None or self.actor.matches_finding(finding, self.role)
