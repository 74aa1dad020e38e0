"""Recipes of generators of regions."""
