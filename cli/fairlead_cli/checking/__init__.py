"""``kubectl fairlead check``: what is wrong, how bad it is, and how to mend it; in the manner of ``linkerd check``."""
