"""What stages minimise, a module for each."""
