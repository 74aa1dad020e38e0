"""Two-dimensional image editors behind one protocol: InstructPix2Pix, its files and prompts."""
