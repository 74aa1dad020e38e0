"""3D Gaussian splats of portraits: how they are rendered, fitted and written."""
