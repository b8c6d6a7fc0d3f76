"""The model card: a template for all tasks, with sections from the domain's `score`."""

from typing import Any

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
    log: "dict[str, Any] | None",
    constants: dict[str, Any],
) -> str:
    """Return the card as Markdown.

    manifest: the package's, without its list of files; original: the file name of the exported model,
    or ""; figures: the report of score, whose `card` has sections by title; cost: the report of
    benchmark; log: the log of compile, None if the target has no Edge TPU; constants: the package's
    """
    name = manifest["name"]
    head = _TEMPLATE.format(
        title=f"{name}: {original}" if original else name,
        description=description,
        made_for=f"{manifest['target'] or 'any target'}, {manifest['runtime']}",
        original=f"- Made from: `{original}`\n" if original else "",
        figures=_measured(figures) if figures else "not evaluated",
        cost=_cost(cost) if cost else "not measured",
        compiled=f"- Edge TPU: {_compiled(log, manifest['models'])}\n" if log is not None else "",
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


def _compiled(log: dict[str, Any], models: dict[str, Any]) -> str:
    """Return which models are compiled for the Edge TPU, and what the compiler mapped to it."""
    if log.get("compiled"):
        return (
            f"{log['on_edgetpu']} of {log['operations']} operators, as edgetpu_compiler "
            f"{log['version']} mapped them"
        )
    published = [f"`{role}`" for role, entry in models.items() if "edgetpu" in entry]
    others = [f"`{role}`" for role, entry in models.items() if "edgetpu" not in entry]
    parts = [f"compiled by its publisher: {', '.join(published)}"] if published else []
    parts += [f"not compiled, runs on the CPU: {', '.join(others)}"] if others else []
    return "; ".join(parts)


def _measured(figures: dict[str, Any]) -> str:
    """Return the runtime, the processor and the place of a measurement."""
    worker = "Edge TPU" if figures["accelerator"] == "edgetpu" else "CPU"
    place = "on the device" if figures["measured_on"] == "device" else figures["measured_on"]
    return f"with {figures['runtime']} on the {worker}, {place}"
