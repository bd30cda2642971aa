"""EMMI at the NTT."""
