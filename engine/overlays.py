"""What accelerators add to pipelines: conf/accelerator/NAME.yaml, which a pipeline chooses by target."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from engine import catalogue
from engine.errors import UserError

GROUP = "accelerator"
_GIVEN = re.compile(r"\+{0,2}target\.accelerator=(.*)")

Node = dict[str, object]


def nodes(
    dirs: Sequence[Path],
    words: Sequence[str],
    named: Collection[str],
    load: Callable[[Path], Node],
) -> Iterator[tuple[str, Node]]:
    """Yield each target's name with what its accelerator adds: nothing if conf/accelerator/ has no such
    file. `target.accelerator=NAME` replaces that of every target.

    named: stages of which the use case sets keys. If only another accelerator adds one, its conditional
    stages are there too, so that the use case composes for every target; `when` leaves them out.
    """
    overlays = catalogue.of_group(GROUP, dirs)
    given = _given(words, overlays)
    loaded = {name: load(path) for name, path in overlays.items()}
    for target, path in catalogue.of_group("target", dirs).items():
        own = loaded.get(given or _accelerator_in(path), {})
        yield target, {**_others(loaded.values(), own, named), **own}


def _others(overlays: Collection[Node], own: Node, named: Collection[str]) -> Node:
    """Return the conditional stages of the other accelerators that add a stage which is named."""
    found: Node = {}
    for overlay in overlays:
        stages = {name: one for name, one in overlay.items() if _is_conditional(one)}
        if stages.keys() & set(named) - own.keys():
            found = {**stages, **found}
    return found


def _is_conditional(stage: object) -> bool:
    return isinstance(stage, Mapping) and isinstance(stage.get("when"), Mapping)


def _given(words: Sequence[str], overlays: Mapping[str, Path]) -> str:
    """Return the accelerator that the words give the target as a value; "" if it adds nothing."""
    given = [match[1] for word in words if (match := _GIVEN.fullmatch(word))]
    names = [name.strip("'\"") for name in given[-1].split(",")] if given else []
    found = [name for name in dict.fromkeys(names) if name in overlays]
    if len(found) > 1:
        raise UserError(
            f"target.accelerator={given[-1]}",
            f"{' and '.join(found)} need different stages, and the jobs of a sweep have the same",
            "name targets with these accelerators instead: target=NAME,NAME",
        )
    return found[0] if found else ""


def _accelerator_in(target: Path) -> str:
    """Return the accelerator in a target's file; "" if it cannot be read, which is reported if it is
    chosen.
    """
    from engine import yamlfile  # slow to import, and not needed for a cached request

    with suppress(UserError):
        return str(yamlfile.load(target).get("accelerator", ""))
    return ""
