"""Portolan's engine room. Imports go down only, from the last line of this map to the first.

domain                                     nouns: artifact, format, transform, runtime, report, job, errors
archives pickles jail                      the border: what may be read, and what a child locks itself into
formats converters runtimes                shelves: one file an extension, one row in the table
onnx_files torchscripts columns estimators fitted    what several books on a shelf need of one library
blobs database migrations rows store ledger                 memory: files by hash, rows beside them
proof                                      probes, parity, divergence, quality: run in the child
sandbox worker tasks                       parent and child of the border
tools engines jobs                         when and where a verb runs
transform bundle charts samples            answers: proven steps, the zip, the charts, the shipped models
ingest convert evaluate                    verbs
workspace routes __main__                  how people and programs reach them
"""
