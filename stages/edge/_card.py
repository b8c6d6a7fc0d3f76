"""The model card: a template for all tasks, with sections from the domain's `score`."""

from typing import Any

from stages import accelerator as accelerators

_TEMPLATE = """# {title}

{description}

- Made for: {made_for}
{original}- Figures: {figures}
- One inference: {cost}
{compiled}
## Provenance

The `model_card.md` of the run that made this package names the run, the commit and the data.

## Model

| role | files | inputs | outputs |
| --- | --- | --- | --- |
{models}
{pixels}"""


def card(
    manifest: dict[str, Any],
    description: str,
    original: str,
    figures: dict[str, Any],
    cost: dict[str, Any],
    compiled: "tuple[str, str] | None",
    constants: dict[str, Any],
) -> str:
    """Return the card as Markdown.

    manifest: the package's, without its list of files; original: the file name of the exported model,
    or ""; figures: the report of score, whose `card` has sections by title; cost: the report of
    benchmark; compiled: the title of the target's accelerator, and what was compiled for it, if the
    target has one; constants: the package's
    """
    name = manifest["name"]
    head = _TEMPLATE.format(
        title=f"{name}: {original}" if original else name,
        description=description,
        made_for=f"{manifest['target'] or 'any target'}, {manifest['runtime']}",
        original=f"- Made from: `{original}`\n" if original else "",
        figures=_measured(figures) if figures else "not evaluated",
        cost=_cost(cost) if cost else "not measured",
        compiled=f"- {compiled[0]}: {compiled[1]}\n" if compiled else "",
        models="\n".join(_row(role, entry) for role, entry in manifest["models"].items()),
        pixels=_pixels(constants.get("picture")),
    )
    sections = [f"\n## {title}\n\n{text}\n" for title, text in figures.get("card", {}).items()]
    return head + "".join(sections)


def _row(role: str, entry: dict[str, Any]) -> str:
    files = [str(path) for path in entry.values() if isinstance(path, str)]
    sides = [
        "<br>".join(_tensor(name, about) for name, about in entry[side].items())
        for side in ("inputs", "outputs")
    ]
    return f"| {role} | {', '.join(f'`{path}`' for path in files)} | {' | '.join(sides)} |"


def _tensor(name: str, about: dict[str, Any]) -> str:
    """Describe a tensor: `picture`: uint8, 1 × 96 × 96 × 3, scale 1, zero point 0."""
    words = f"`{name}`: {about['type']}, {' × '.join(map(str, about['shape']))}"
    if about["scale"]:
        words += f", scale {about['scale']:.6g}, zero point {about['zero_point']}"
    return words.replace("|", "\\|")


def _pixels(scaling: "dict[str, float] | None") -> str:
    """Return how pixels are scaled, if the model's input is a picture with a known scaling."""
    if not scaling:
        return ""
    mean, deviation = scaling["mean"], scaling["deviation"]
    return f"\nA pixel of 0 to 255 is scaled to (pixel - {mean:g}) / {deviation:g}.\n"


def _cost(cost: dict[str, Any]) -> str:
    latency_ms = cost["latency_median_ms"]
    latency = f"{latency_ms:,.0f}" if latency_ms >= 100 else f"{latency_ms:.3g}"
    return (
        f"{latency} ms (median of {cost['inferences']:,}), {cost['model_size_bytes']:,.0f} bytes, "
        f"{_measured(cost)}"
    )


def _measured(figures: dict[str, Any]) -> str:
    """Return the runtime, the processor and the place of a measurement."""
    worker = accelerators.title(figures["accelerator"])
    place = "on the device" if figures["measured_on"] == "device" else figures["measured_on"]
    return f"with {figures['runtime']} on the {worker}, {place}"
