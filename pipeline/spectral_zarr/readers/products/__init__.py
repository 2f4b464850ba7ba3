"""One module per survey product; each names its readers in a tuple ``READERS``."""
