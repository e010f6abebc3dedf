"""The nouns of Portolan: frozen values, standard library only, no reading or writing."""
