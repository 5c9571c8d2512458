"""Other systems' protocols: their requests as records of ours, our verdicts as their answers."""
