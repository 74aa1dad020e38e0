"""Networks and formulas that compare pictures of heads."""
