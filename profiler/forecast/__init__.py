"""Walls: predicted from short runs, searched, and certified by two runs.

``trace`` is what an allocator was asked for, ``unrolling`` continues it to more time steps,
``allocator`` is what a framework's allocator model must do, ``recordings`` holds what was recorded,
``ladder`` says what is recorded next, ``learning`` checks what continues it against longer runs,
and ``replayed`` predicts walls and peaks from that.
``host`` predicts host walls. ``search`` finds a wall with or without a prediction, and
``certificate`` runs the search through real children. All but the last are pure.

Each predictor of walls stays because the others are worse where it is used. The pairs of numbers
are of an unrolled and a looped build of one recurrent network, on two cores:

=====================  =============================  ===========================================
predictor              used for                       why it stays
=====================  =============================  ===========================================
replay                 device walls whose trace has   0.0 % off in squares (attention), loops and
(``replayed``)         up to 200,000 events, serial   segments; a longer recorded trace, not used to
                       schedule                       continue from, must be predicted first
curve through          device walls beyond            replay takes 9 s per million events, at every
replayed walls         200,000 events                 try; its margin is what it missed before the
(``replayed``)                                        last wall, extrapolated
curve through what     traces that cannot be          0.2 % to 3 % off where build and memory jump
short runs need        continued                      about; not given if it may be 25 % off
(``replayed``)
line through two       host walls, which have no      4.3 % and 1.1 % off under 512 MiB, the
short runs (``host``)  trace                          search's own 57 % and 42 %; with it the search
                                                      takes 3 and 7 probes and 75 and 35 s, without
                                                      it 8 and 14 probes and 78 and 50 s
the search's own       wherever none was given or     no other has anything to start from; it costs
(``search``)           the given one is refuted       no run besides the probes
the peak's law         walls without a pattern in     3.0 % and 1.8 % off in the parallel schedule,
(``analysis``,         ``predict``                    a line through two short runs 22 % and 2.6 %,
``wall_by_law``)                                      the search's own 12 % and 18 %; one set of
                                                      runs serves every limit
=====================  =============================  ===========================================

All that extrapolate do it by ``demand.DemandLine`` or ``demand.DemandCurve``.
"""
