"""Results made ready for eyes and for taking away: charts, reports, bundles."""
