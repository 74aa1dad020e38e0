"""EG3D: a seed becomes a portrait."""
