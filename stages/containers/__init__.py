"""Container images: their base, their build, and the stages after it."""
