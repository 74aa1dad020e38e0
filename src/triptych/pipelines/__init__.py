"""One file per thing a user runs; each call returns a Portrait. None imports another."""
