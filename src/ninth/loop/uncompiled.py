"""What `cython` is while a module runs as plain Python.

The hot modules ask `cython.compiled` where C can do a thing at less cost. Cython answers the
question while it translates, without looking here; plain Python looks here, and so does not
need Cython at run time.
"""

compiled = False
