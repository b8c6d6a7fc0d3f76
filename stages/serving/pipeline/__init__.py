"""The pipeline: cameras, inference and supervision in processes of their own, and the `Feed` that
shows the main process what happens there. `start` starts it.
"""
