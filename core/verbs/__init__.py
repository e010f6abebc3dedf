"""What a user wants done: one file a verb, each a plain synchronous function."""
