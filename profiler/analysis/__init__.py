"""What measurements say: metrics, laws, predictions, and whether a difference is noise."""
