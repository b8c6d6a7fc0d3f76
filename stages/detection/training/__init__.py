"""The network of a detector, and what training needs: anchors, targets, loss, augmentation."""
