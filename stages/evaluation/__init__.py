"""Statistics for the `score` stage of every domain."""
