"""Small models trained on real labelled data; ``python -m sample_models.build`` writes each folder again, byte for byte."""
