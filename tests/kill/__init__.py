"""Programs that are made to be killed."""
