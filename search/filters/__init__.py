"""Turn filter conditions into SQL, sets of ids and Milvus expressions, and count facets."""
