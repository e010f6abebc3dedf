"""Each page through the frame, without a browser."""
