"""The content of a run's report as plain data; engine/sinks/report.py makes the page."""
