"""Sets of pictures before and after an edit."""
