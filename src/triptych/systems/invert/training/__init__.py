"""Training of 3DpSp encoders."""
