"""PStyle-3D: an example picture or a few artworks re-style every head of a generator."""
