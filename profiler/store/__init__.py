"""Where results are kept: the database, baselines, and stored runs as pandas frames."""
