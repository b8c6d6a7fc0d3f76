"""Removes what the outputs folder has about one person; the use case's own stage says where to look."""
