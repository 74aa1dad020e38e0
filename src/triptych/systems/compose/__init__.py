"""CNeRF: portraits made of semantic regions, each generated, swapped and shown alone."""
