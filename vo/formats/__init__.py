"""Every form an answer can be asked in; parameters, capabilities and documentation read this list."""
