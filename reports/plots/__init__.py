"""The plots of a report: data first, then matplotlib figures."""

import logging

# Where nobody listens, its warnings would go to stderr: of a home that cannot be written, of fonts.
logging.getLogger("matplotlib").addHandler(logging.NullHandler())
