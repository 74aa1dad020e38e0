"""Styles of synthetic heads: changes of a person, filters of a picture, and their phrases."""
