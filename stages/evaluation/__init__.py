"""Statistics of a test: what every domain's `score` needs, whatever its model answers."""
