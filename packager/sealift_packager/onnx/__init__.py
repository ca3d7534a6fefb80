"""ONNX models as they are.

Reading order:

- ``load``       a model, external weights included as long as they lie inside its own folder
- ``beside``     the files beside a graph, copied beside our own copy of it
- ``weights``, ``order``, ``operators``, ``expansion``  what stands against bad files
- ``hoist``      large weights of branches and bodies, moved to the outermost graph
- ``maps``       outputs that are lists of mappings or tensors become tensors
- ``accepted_requests``  which sizes and values a graph answers, found by asking; ``constants`` are the numbers that it compares with,
                ``requests`` whole requests that somebody gave
- ``as_is``      the conversion
"""
