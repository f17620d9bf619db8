"""Order hits: reranking, popularity, and the confidence of a score."""
