"""The tables of a report: rows of finished texts, for the terminal and for HTML."""
