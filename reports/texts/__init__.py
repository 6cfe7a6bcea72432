"""What reports say in words, computed from the numbers."""
