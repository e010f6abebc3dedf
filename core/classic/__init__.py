"""Statistical models of several libraries, between their files and what scores them."""
