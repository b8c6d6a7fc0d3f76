"""Shared code of tasks about people: skeletons, MoveNet, keypoint tables and features of poses."""
