"""FF3D: a line of text becomes a stylised portrait."""
