"""3DPE: a photo and a prompt become an edited 3D portrait in one pass."""
