"""The one query language inside: a typed tree that every protocol builds and every engine compiles."""
