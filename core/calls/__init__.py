"""What the server asks a sandboxed child to do: one file a call with its request, the child's side and the parent's side, one row in the table.

``work`` runs in the child and imports heavy libraries; ``ask`` runs in the server and only sends and reads.
"""
