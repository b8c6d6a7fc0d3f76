"""What a test part can say about the accuracy that quantisation costs."""


def beyond_one(float_accuracy: float, accuracy: float, examples: float) -> float:
    """Return the drop of accuracy, or 0 if it is that of a single test example.

    One example more or less is chance, and with fewer than 100 examples it is more than a point: a
    gate on this value rejects the same models on a large test part, and none for one example.

    float_accuracy, accuracy: shares of the same test examples, 0 to 1
    """
    lost = round((float_accuracy - accuracy) * examples)
    return lost / examples if abs(lost) > 1 else 0.0
