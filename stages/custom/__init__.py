"""Own data and own models: the folder of a user with data.py and model.py."""
