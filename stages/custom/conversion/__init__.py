"""Converts fitted scikit-learn estimators to arrays: exactly, or not at all."""
