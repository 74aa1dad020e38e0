"""Portrait and View: what every system makes, its file and its prepared fast renderer."""
