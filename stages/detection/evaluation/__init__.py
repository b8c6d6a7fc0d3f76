"""Compares detections with the ground truth: figures, kinds of error, and pictures."""
