"""The accelerators, as stages see them: one module per accelerator, found by its name."""
