"""Likenesses measured: with and without a known answer."""
