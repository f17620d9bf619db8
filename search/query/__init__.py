"""Read what a query asks for: options, text, keywords, and several sources combined."""
