"""Recipe of the feature network and of the style classifier."""
