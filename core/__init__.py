"""Portolan's engine room: rooms of modules, whose imports go down only, from the first line of this map to the last.

doors                              how people and programs reach the verbs
verbs                              what a user wants done
calls                              what the server asks a sandboxed child to do
proof answers                      whether answers agree and how good they are; charts, reports, bundles
converters techniques runtimes     shelves: one file an entry, one row in the table
preprocessing decoding metrics     shelves: from a picture file to what a model takes, from its outputs to an answer, and how good that is
train classic                      training in torch; statistical models
shrink libraries jobs              methods of compression; what is needed of one library; when and where a verb runs
onnx formats sandbox               ONNX taken apart; the shelf of formats; the parent side of the border
border memory scoring web          archives, pickles, jail; blobs and rows; the common form; models in a browser
domain                             nouns: frozen values that every room speaks in
"""
