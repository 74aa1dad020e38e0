"""Portrait data: synthetic heads, sets of labelled images, photo alignment."""
