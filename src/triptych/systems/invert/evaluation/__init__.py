"""3DpSp's table: every method on the same pictures."""
