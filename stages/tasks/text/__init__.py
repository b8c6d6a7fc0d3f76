"""Text: normalisation, features of a sentence, and the decision whether it is understood."""
