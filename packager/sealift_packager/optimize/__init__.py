"""The same graph in a form that onnxruntime runs quicker: rewrites that keep what is computed.

``gelu`` (an order of operators that onnxruntime knows to fuse) is applied to the converted graph before parity is checked, so every candidate
starts from it, fp32 too. ``residual`` (operators that are quicker unfused on some profiles) is applied to each candidate of such a profile, fp32
too, when it is built: quantizers know the operators that it replaces.
"""
