"""What holds a training step's memory: the allocations alive at its peak, each with one role."""
