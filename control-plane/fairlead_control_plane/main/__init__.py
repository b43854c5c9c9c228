"""
Putting the control plane together and taking it apart again.

Read in this order: :mod:`settings` (every knob), :mod:`pki` (own CA, server certificate), :mod:`kubeconfigs`
(credentials and how to use them), :mod:`server` (the composition, top to bottom), :mod:`start` (the command).
"""
