"""One room per way to obtain a portrait; systems never import each other."""
