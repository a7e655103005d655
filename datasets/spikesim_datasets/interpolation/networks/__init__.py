"""What the interpolation networks share; torch is imported by the modules that need it, never here."""
