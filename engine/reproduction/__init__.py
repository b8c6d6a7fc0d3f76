"""Makes the artifacts of a run again from what it recorded, and says what differs and why."""
