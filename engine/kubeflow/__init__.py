"""A plan on a Kubeflow Pipelines cluster: its images, its data, and the pipeline that it becomes."""
