"""What styles do to heads, measured."""
