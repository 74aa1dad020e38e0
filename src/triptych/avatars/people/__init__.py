"""Who a synthetic head is and how it is coloured."""
