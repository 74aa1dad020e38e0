"""A job on disk: output folders, records, progress and reports."""
