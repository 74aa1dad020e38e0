"""Sets of pictures with masks of regions, for the published training stages."""
