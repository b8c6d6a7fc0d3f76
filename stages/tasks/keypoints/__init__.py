"""What tasks about people share: skeletons, MoveNet, keypoint tables and features of poses."""
