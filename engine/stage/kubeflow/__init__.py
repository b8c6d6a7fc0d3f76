"""The step of a Kubeflow pipeline: `python3 -m engine.stage.kubeflow` in a stage's pod.

It turns the paths of Kubeflow Pipelines into a job folder, runs `engine.stage` in a child process, and
writes the outputs and a report back. Standard library only, syntax of Python 3.9.
"""
