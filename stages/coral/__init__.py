"""The process in which the Edge TPU runs compiled models: its library may crash it."""
