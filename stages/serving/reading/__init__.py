"""Reads sources: opens them again, keeps the newest frame, decodes into a buffer, counts."""
