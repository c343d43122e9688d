"""What else the votes say, beside the board: style, position, training, time, and how far to trust it."""
