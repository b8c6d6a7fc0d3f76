"""What packed models do, from a raw input to an answer: one module per task."""
