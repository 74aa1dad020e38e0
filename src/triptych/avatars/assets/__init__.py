"""The head asset pack and how it is built from MakeHuman."""
