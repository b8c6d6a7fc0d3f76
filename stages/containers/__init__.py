"""Container images: their base, their build, and what follows it."""
