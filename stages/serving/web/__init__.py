"""The web server: the live page, the HTTP API, pictures and Prometheus metrics.

Standard library only, Python 3.9. One thread runs everything on an asyncio loop; what blocks (questions to
the model, files) goes to a few threads. A hostile or slow viewer costs nobody else more than its limits.
"""
