"""Synthetic heads on disk: data sets, training shards, true pictures for evaluations."""
