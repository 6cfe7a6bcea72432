"""What a process may take: memory cgroups, host limits, the machine, and what the kernel counts."""
