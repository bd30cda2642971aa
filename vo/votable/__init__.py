"""VOTable 1.4: documents that stream from Arrow batches in all three serialisations."""
