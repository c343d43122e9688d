"""One run's board and analyses, as text, JSON, CSV and a page."""
