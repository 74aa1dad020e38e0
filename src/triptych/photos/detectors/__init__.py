"""Detectors that find faces and measure how they are turned."""
