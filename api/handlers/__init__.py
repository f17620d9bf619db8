"""Answer one request, without knowing its route."""
