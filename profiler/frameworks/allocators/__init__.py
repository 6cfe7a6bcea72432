"""Models of the memory allocators that frameworks use."""
