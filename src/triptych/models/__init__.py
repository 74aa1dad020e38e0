"""Networks: one file each, a frozen configuration and a module."""
