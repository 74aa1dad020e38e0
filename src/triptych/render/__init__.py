"""From rays through a field to pictures, depth and alpha."""
