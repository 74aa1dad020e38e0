"""Compiled rasteriser and shading of synthetic heads."""
