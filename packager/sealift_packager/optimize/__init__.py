"""The same graph in a form that onnxruntime runs quicker: rewrites that keep what is computed. Pure.

``gelu`` (an order of operators that onnxruntime knows to fuse). Applied to the converted graph before parity is checked, so every candidate
starts from it, fp32 too.
"""
