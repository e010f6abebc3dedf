"""What several books on a shelf need of one library."""
