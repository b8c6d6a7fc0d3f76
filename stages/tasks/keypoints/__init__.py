"""Shared code for tasks about people: skeletons, MoveNet, keypoint tables and pose features."""
