"""Define what the rules of all languages are built from: the context that they see, and how they are applied."""
