"""What is measured rather than tested; each file runs by itself and prints one JSON object."""
