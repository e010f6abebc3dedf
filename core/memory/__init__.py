"""What is kept: files by their SHA-256, and rows beside them."""
