"""See the package docstring of the control plane; filled in with its first module."""
