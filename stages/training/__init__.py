"""What the domains share to train Keras networks: the same bytes from the same seed, also after a kill."""
