"""The tasks of packaged models, from a raw input to an answer: one module per task."""
