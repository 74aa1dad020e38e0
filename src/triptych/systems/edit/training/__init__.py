"""The trainings of 3DPE and of the encoder that it starts from."""
