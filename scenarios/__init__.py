"""The scenarios that ship with stepwall, one module per family."""
