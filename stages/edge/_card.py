"""The model card: a template for every task, whose sections the domain's `score` fills."""

from typing import Any

_TEMPLATE = """# {name}

{description}

- Made for: {made_for}
- Figures: {figures}
- One inference: {cost}
- Edge TPU: {compiled}
"""


def card(
    name: str,
    description: str,
    made_for: str,
    figures: dict[str, Any],
    cost: dict[str, Any],
    log: dict[str, Any],
) -> str:
    """Return the card as Markdown.

    figures: score's report, whose `card` has sections by title; cost: benchmark's report; log: that
    of compile, empty if the target has no Edge TPU
    """
    head = _TEMPLATE.format(
        name=name,
        description=description,
        made_for=made_for,
        figures=_measured(figures) if figures else "not evaluated",
        cost=_cost(cost) if cost else "not measured",
        compiled=_compiled(log),
    )
    sections = [f"\n## {title}\n\n{text}\n" for title, text in figures.get("card", {}).items()]
    return head + "".join(sections)


def _cost(cost: dict[str, Any]) -> str:
    return (
        f"{cost['latency_median_ms']:.3g} ms (median), {cost['model_size_bytes']:,.0f} bytes, "
        f"{_measured(cost)}"
    )


def _compiled(log: dict[str, Any]) -> str:
    """Say what the compiler made of the model."""
    if not log.get("compiled"):
        return "not compiled"
    return (
        f"{log['on_edgetpu']} of {log['operations']} operators, as edgetpu_compiler "
        f"{log['version']} mapped them"
    )


def _measured(figures: dict[str, Any]) -> str:
    """Say with what figures were measured and where, without which they mean little."""
    worker = "Edge TPU" if figures["accelerator"] == "edgetpu" else "CPU"
    place = "on the device" if figures["taken"] == "device" else figures["taken"]
    return f"with {figures['runtime']} on the {worker}, {place}"
