"""What the server asks a sandboxed child to do."""
