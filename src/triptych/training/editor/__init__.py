"""Recipe of the embedded image editor: autoencoder, text encoder, denoiser."""
