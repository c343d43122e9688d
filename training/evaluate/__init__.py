"""The report card: what each checkpoint can do, measured and shown."""
