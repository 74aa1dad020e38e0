"""A custom edit learned from a few pairs."""
