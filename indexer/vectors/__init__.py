"""Search garment vectors by inner product among allowed ids: the VectorIndex protocol and its
FAISS indexes."""
