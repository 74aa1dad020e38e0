"""Photos: reading them, framing the faces in them, and writing aligned data sets."""
