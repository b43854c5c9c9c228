"""
The same random requests to our server and to a real kube-apiserver, compared answer by answer: ``make fuzz``.

Read in this order: :mod:`asked` (one request, and what in it is known only when it is sent), :mod:`kinds` (valid
objects of each kind), :mod:`mutations` (what is done to them), :mod:`patches`, :mod:`sequences` and
:mod:`definitions` (Hypothesis strategies for sequences of requests), :mod:`sides` (sending), :mod:`comparing`,
:mod:`groups` (each difference once, and those named in ``named.txt``), :mod:`coverage`, and :mod:`run`.
"""
