"""What lies inside the files of several formats: weights, graphs, programs and fitted models, read without building anything.

A format's own file says what the format is and in which order it is read; what two formats share stands here.
"""
