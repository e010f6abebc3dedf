"""How people and programs reach the verbs: HTTP, command line, the server's workspace, the child's entry."""
