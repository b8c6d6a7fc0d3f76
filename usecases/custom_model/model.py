"""A random forest, which is stored as arrays and runs with numpy on the device."""

from sklearn.ensemble import RandomForestClassifier


def model(trees: int = 100, seed: int = 0):
    """Return the estimator; set arguments with params.model.trees=200."""
    return RandomForestClassifier(trees, random_state=seed)
