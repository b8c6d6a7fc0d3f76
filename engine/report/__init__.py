"""What the report of a run says, as plain data: engine/sinks/report.py puts it on its page."""
