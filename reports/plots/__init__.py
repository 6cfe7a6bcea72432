"""The plots of a report: data first, then matplotlib figures."""
