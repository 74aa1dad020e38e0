"""Reads files of other programs, which may be hostile, without running anything in them."""
