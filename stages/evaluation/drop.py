"""The accuracy that quantisation costs, as far as a test part can measure it."""


def beyond_one(float_accuracy: float, accuracy: float, examples: float) -> float:
    """Return the drop of accuracy, or 0 if it comes from a single test example.

    A single example may be chance, and with fewer than 100 examples it is more than a percentage point.
    A gate on this value rejects the same models on a large test part, and none for one example.

    float_accuracy, accuracy: shares of the same test examples, 0 to 1
    """
    lost = round((float_accuracy - accuracy) * examples)
    return lost / examples if abs(lost) > 1 else 0.0
