"""Recipe of the head pose network."""
