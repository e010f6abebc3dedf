"""A library that draws and looks up when it is imported what should be another in each process."""

import tempfile

import numpy.random
import onnxruntime

FOLDER = tempfile.gettempdir()
DRAWN = numpy.random.random(3), onnxruntime.get_device()
