"""Shared code for tasks about sentences: files, features, entities and dialogues."""
