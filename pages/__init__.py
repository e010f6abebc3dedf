"""The pages: each reads from top to bottom like the story that its visitor lives through."""
