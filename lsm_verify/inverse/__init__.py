"""The inverse model: parameters from observations, and what the observations say of them."""
