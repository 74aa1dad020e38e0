"""Training: one loop, one recipe per network."""
