"""Declares a command's options: a class `Options` in its file, with a default and a description for
each key.

Composition, types and documentation all come from this declaration. No I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict

Words = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: value if isinstance(value, list | tuple) else [value]),
]
"""A list of words; a single one needs no brackets."""


class CommandOptions(BaseModel):
    """The base class of all options; also used by commands without options."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    WORD: ClassVar[str | None] = (
        None  # the option whose value may follow the command, as in `images build`
    )

    MORE: ClassVar[str | None] = (
        None  # the option, a list, that all further words belong to, as in `compare A B`
    )

    IS_CACHED: ClassVar[bool] = True  # false: the composed command line must not be kept

    @classmethod
    def choices(cls, key: str) -> tuple[str, ...]:
        """Return the option's allowed values, or nothing if any value is allowed."""
        annotation = cls.model_fields[key].annotation
        return get_args(annotation) if get_origin(annotation) is Literal else ()

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the default of every option as plain data."""
        return cls().model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class Option:
    """One option, as shown in the help and the reference."""

    key: str
    default: Any
    description: str


def declared(model: type[BaseModel], prefix: str = "") -> Iterator[Option]:
    """Yield every option of the class, including each one of a group (`clean.keep_last`)."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from declared(field.annotation, f"{prefix}{name}.")
        else:
            yield Option(f"{prefix}{name}", field.default, field.description or "")
