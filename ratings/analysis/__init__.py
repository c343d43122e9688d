"""What else the votes show, beside the board: style, position, training, time, and how far to trust it."""
