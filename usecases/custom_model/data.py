"""Measurements of cells in 569 tissue samples: is a tumour malignant or benign? (Wolberg et al., 1995)"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split


def get_data():
    """Return x_train, x_test, y_train, y_test; y are the names of the classes."""
    found = load_breast_cancer(as_frame=True)
    names = found.target.map({0: "malignant", 1: "benign"})
    return train_test_split(found.data, names, test_size=0.25, random_state=0, stratify=names)
