"""Lift: a photo becomes a likeness in 3D, without networks trained on faces."""
