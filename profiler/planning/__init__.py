"""What is measured: scenarios out of files, and the points of a run."""
