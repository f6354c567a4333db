"""Getting music in."""
