"""Two-dimensional teachers and judges behind small protocols."""
