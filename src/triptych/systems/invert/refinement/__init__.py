"""What follows the encoder: the camera, a latent, style codes, the generator itself."""
