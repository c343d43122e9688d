"""The report as one self-contained page, section by section."""
