"""Shared code to train Keras networks reproducibly: the same seed gives the same bytes, even after a kill."""
