"""Shapes of synthetic heads: meshes, morphs, hair, clothing, landmarks."""
