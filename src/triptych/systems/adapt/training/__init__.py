"""Training recipes of PStyle-3D."""
