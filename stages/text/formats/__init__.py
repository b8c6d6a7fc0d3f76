"""Reads sentences with their intents in the formats that people have, and finds what is wrong with them."""
