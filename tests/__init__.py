"""The tests mirror the tree; ``browser`` drives the running app in Chromium."""
