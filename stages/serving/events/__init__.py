"""What the server does with answers: rules, events, MQTT, webhooks, pictures on disk, counters."""
