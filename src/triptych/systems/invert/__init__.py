"""3DpSp: a photo becomes the latent of a generator."""
