"""Where rows are kept: the lake is the record, an index is its projection."""
