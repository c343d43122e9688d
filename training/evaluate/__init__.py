"""What checkpoints can do, measured and shown on the report card. The stages use it; it imports none of them."""
