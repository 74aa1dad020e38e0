"""Files of other programs, any of which may be hostile: read without running anything in them."""
