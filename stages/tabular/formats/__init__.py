"""Reads tables in the formats that people have, and finds what is wrong with them."""
