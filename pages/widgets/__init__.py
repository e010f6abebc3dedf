"""Parts that several pages share, one noun each."""
