"""Forecasting the wall: small recorded steps, continued to longer ones and replayed.

``trace`` holds what an allocator was asked for, ``unrolling`` continues it to more time
steps, ``bfc`` replays it under a limit, and ``wall`` puts them together. All of it is
pure: no framework, no process.
"""
