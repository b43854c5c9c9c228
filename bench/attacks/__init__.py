"""
Users who attack, and what the others of the same server notice.

``python -m bench.attacks --only patches,rules --out FILE``. Read in this order: :mod:`attack` (what one is),
:mod:`ground` (where it happens), :mod:`victim` (who watches the clock), :mod:`running` (one attack, measured); the
attacks themselves are in :mod:`bodies`, :mod:`objects`, :mod:`patches`, :mod:`definitions`, :mod:`rules` and
:mod:`reads`.
"""
