"""Shared code for tasks about tables: cells, columns, the model's input, and the meaning of its output."""
