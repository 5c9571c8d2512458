"""Dead letters: records that could not be stored, kept with the reason until somebody decides."""
