"""Events become lines."""
