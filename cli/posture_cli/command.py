"""How the commands are declared: groups of options, examples, and options that count once."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from importlib import import_module
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, TypeVar, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption

Function = TypeVar("Function", bound=Callable[..., None])


class OptionGroup:
    """Options that several commands share: a frozen dataclass with one field for each option."""


class CommandGroup(typer.Typer):
    """The commands of one module: a group, or one command that has the name of the module."""

    def __init__(self, description: str = "") -> None:
        super().__init__(no_args_is_help=True, rich_markup_mode=None, help=description)

    def add(self, *examples: str, name: str | None = None) -> Callable[[Function], Function]:
        """Register a function as a command; a parameter may be an `OptionGroup`.

        Args:
            examples: Command lines that end its help.
            name: Its name, if it is not the function's.
        """
        lines = "\n".join(f"  {line}" for line in examples)
        epilog = f"\b\nExamples:\n{lines}"  # the backspace keeps the lines apart

        def register(function: Function) -> Function:
            register_command = self.command(name or function.__name__, cls=_Command, epilog=epilog)
            register_command(_expand_groups(function))
            return function

        return register


def _expand_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter that is an `OptionGroup` by the options of the group."""
    hints = get_type_hints(function, include_extras=True)
    groups = {
        name: hint
        for name, hint in hints.items()
        if isinstance(hint, type) and issubclass(hint, OptionGroup)
    }
    parameters = []
    for each in signature(function).parameters.values():
        if group := groups.get(each.name):
            parameters += _options_of(group)
        else:
            parameters.append(each.replace(annotation=hints[each.name]))
    if any(each.name == "region" for each in parameters):  # the command calls AWS
        parameters.append(PROFILE)

    @wraps(function)
    def call(**values: Any) -> None:
        values.pop(PROFILE.name, None)
        for name, group in groups.items():
            own = {option.name: values.pop(option.name) for option in _options_of(group)}
            values[name] = group(**own)
        function(**values)

    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def _use_profile(name: str | None) -> None:
    """Make boto3 use a profile, as the environment variable does."""
    if name:
        os.environ["AWS_PROFILE"] = name


def complete_with(name: str) -> Callable[[str], list[str]]:
    """Return a completion by a function of `posture_cli.completion`, imported when asked."""

    def complete(incomplete: str) -> list[str]:
        values: list[str] = getattr(import_module("posture_cli.completion"), name)(incomplete)
        return values

    return complete


PROFILE = Parameter(
    "profile",
    Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="The profile of your AWS settings to use.",
            callback=_use_profile,
            autocompletion=complete_with("list_profiles"),
        ),
    ],
)


def _options_of(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(group)
    ]


class _Command(TyperCommand):
    """A command that refuses a repeated option of which only the last value would count."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            BadParameter: An option that takes one value is given more than once.
        """
        given = list(args)  # the parser empties the list it is handed
        rest = super().parse_args(ctx, args)
        _, _, order = self.make_parser(ctx).parse_args(given)
        for parameter, times in Counter(order).items():
            if not isinstance(parameter, TyperOption):
                continue
            repeatable = parameter.multiple or parameter.count or parameter.is_flag
            if times > 1 and not repeatable:
                raise typer.BadParameter(f"given {times} times; it takes one value", ctx, parameter)
        return rest
