"""What ``stepwall new`` writes: one file for each kind of scenario, and their test."""
