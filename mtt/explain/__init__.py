"""What a model hears, when, and whether its explanations hold."""
