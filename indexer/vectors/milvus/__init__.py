"""Keep the same vectors in Milvus, in step with SQL."""
