"""What can be asked at points of space: raw density and features."""
