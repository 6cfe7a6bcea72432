"""From which length on one build beats another, and what each costs."""
