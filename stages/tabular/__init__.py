"""Reads tables, trains a network that finds one of their columns from the others, and evaluates it."""
