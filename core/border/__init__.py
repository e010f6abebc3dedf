"""What stands between strangers' files and us: bounds for archives, pickles that are followed and never obeyed, the jail."""
