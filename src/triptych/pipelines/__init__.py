"""One file per thing a user runs; each call returns a Portrait. Pipelines do not import each other."""
