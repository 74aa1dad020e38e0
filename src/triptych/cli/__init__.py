"""The command line: one verb per file, each a frozen dataclass whose fields are its options."""
