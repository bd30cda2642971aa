"""The links of data products, from what the index holds."""
