"""Sound with pictures under a moving cursor."""
