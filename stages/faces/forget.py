"""Says which artifacts have data of a person, and makes the packages among them again without it."""

from typing import Annotated, TypedDict

from engine.stage import In, Out, progress
from engine.stage.suffix import Suffix


class ForgetMetrics(TypedDict):
    """The numbers of artifacts with data of the person, and of packages made without it."""

    artifacts: float
    packages: float


def forget(
    artifacts: In, found: Annotated[Out, Suffix(".json")], rewritten: Out, *, person: str
) -> ForgetMetrics:
    """Find the artifacts that name a person, and remove the person from the packages among them.

    artifacts: a folder whose entries are artifacts of any stage: files and folders
    found:     JSON: `names`, everybody whom the artifacts know; `holding`, the entries with the person's
               name; `packages`, the entries that are packages, which name everybody whom they know
    rewritten: ENTRY/, a package without the person, for each package that would still know somebody

    person: the name, as that of the person's folder of pictures

    Embeddings, aligned faces and raw outputs have no names. The engine finds those by what they were
    computed from. A package keeps its models, whose int8 ranges were calibrated with everybody's faces.
    """
    import json

    from stages.faces import _names, _removal

    rewritten.mkdir()
    person = _names.normal(person)
    names: set[str] = set()
    holding, packages, made = [], [], 0
    entries = sorted(artifacts.iterdir())
    for at, entry in enumerate(entries):
        progress(at, len(entries), "")
        path = entry.resolve()
        package = _removal.as_package(path)
        there = {_names.normal(one) for one in package.labels} if package else _names.named(path)
        names |= there
        if package:
            packages.append(entry.name)
        if person in there:
            holding.append(entry.name)
            if package:
                made += _removal.without(package, person, rewritten / entry.name)
    about = {"names": sorted(names), "holding": holding, "packages": packages}
    found.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return ForgetMetrics(artifacts=float(len(holding)), packages=float(made))
