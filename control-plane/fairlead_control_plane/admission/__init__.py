"""What may change or refuse a write between decoding and storing it. Read :mod:`contract` first, then :mod:`chain`."""
