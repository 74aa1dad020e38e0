"""Photographs of faces: reading, finding faces, cropping, cameras, person masks, prepared sets."""
